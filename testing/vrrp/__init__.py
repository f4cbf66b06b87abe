"""Virtual routers in namespaces."""
