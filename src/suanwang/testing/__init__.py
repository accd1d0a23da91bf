"""Kits that are shipped: whoever extends the network judges the extension with them."""
