"""Messages between the nodes of a cluster: nothing durable depends on them."""
