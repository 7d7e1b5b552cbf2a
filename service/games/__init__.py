"""Pure rules of the games, behind the protocol of `service.games.protocol`."""
