"""The REST API: sign-in, sessions and tokens; every route declares who may take it."""
