"""The doing: pull, take in, push, recover and reconcile; each step small, resumable and transactional."""
