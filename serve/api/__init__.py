"""The API of belowline's own: score, take comments in, work the queue, administer."""
