"""A small platform around ws-service: the services that it depends on, in a few lines each."""
