"""From a comment to a result: the bounded queue before the model, fault isolation, results and reason codes."""
