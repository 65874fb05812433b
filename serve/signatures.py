"""Near-copies as the queue and the audit find them; what is compared stands in the model package, where training finds it too."""

from belowline.model.signatures import SIMILAR, Signature, signature_of

__all__ = ["SIMILAR", "Signature", "signature_of"]
