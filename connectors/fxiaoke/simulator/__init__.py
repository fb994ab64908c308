"""A Fxiaoke tenant that answers over real HTTP as the vendor documents, for tests, demo and training."""
