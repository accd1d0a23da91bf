"""HTTP: decode, call, encode. Every endpoint declares who may call it; errors become problem documents in one table."""
