"""Fxiaoke (纷享销客): connector and simulator."""
