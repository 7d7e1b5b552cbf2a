"""A small platform around ws-service: what it expects of its neighbours, in a few lines each."""
