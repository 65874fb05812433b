"""What belowline keeps: comments, scores, the queue, decisions, keys, policies, webhooks. Modules here know no HTTP."""
