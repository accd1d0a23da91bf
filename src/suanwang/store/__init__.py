"""The only package that knows SQL: one file per noun, named queries, migrations, the embedded server."""
