"""The services beside this one, as clients see them: each is slow, down or wrong at times."""
