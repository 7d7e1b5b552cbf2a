"""Every setting of the service, by the part that takes it."""

from service.settings.fields import part, section
from service.settings.sections.broadcasts import BroadcastLimits
from service.settings.sections.cluster import (
    BusSettings,
    ClusterSettings,
    NodeSettings,
    host_node_name,
)
from service.settings.sections.connections import ConnectionLimits, GuessLimits
from service.settings.sections.http import AddressLimits, AdmissionLimits, HttpLimits
from service.settings.sections.integrations import (
    BreakerLimits,
    RetryPolicy,
    UserServiceSettings,
    WebhookSettings,
)
from service.settings.sections.play import GameSettings, Rules, Times
from service.settings.sections.process import ListenSettings, LogSettings, WireSettings
from service.settings.sections.storage import BacklogLimits, StorageSettings
from service.settings.sections.tokens import TokenSettings, VaultSettings


@section
class Settings:
    """Every setting of the service; names end in the unit."""

    listen: ListenSettings = part(ListenSettings)
    wire: WireSettings = part(WireSettings)
    storage: StorageSettings = part(StorageSettings)
    node: NodeSettings = part(NodeSettings)
    bus: BusSettings = part(BusSettings)
    cluster: ClusterSettings = part(ClusterSettings)
    logs: LogSettings = part(LogSettings)
    tokens: TokenSettings = part(TokenSettings)
    vault: VaultSettings = part(VaultSettings)
    connections: ConnectionLimits = part(ConnectionLimits)
    passwords: GuessLimits = part(GuessLimits)
    addresses: AddressLimits = part(AddressLimits)
    http: HttpLimits = part(HttpLimits)
    admission: AdmissionLimits = part(AdmissionLimits)
    games: GameSettings = part(GameSettings)
    rules: Rules = part(Rules)
    times: Times = part(Times)
    broadcasts: BroadcastLimits = part(BroadcastLimits)
    backlog: BacklogLimits = part(BacklogLimits)
    user_service: UserServiceSettings = part(UserServiceSettings)
    breaker: BreakerLimits = part(BreakerLimits)
    webhooks: WebhookSettings = part(WebhookSettings)
    outbox: RetryPolicy = part(RetryPolicy)

    @property
    def secret_is_in_vault(self) -> bool:
        """Whether the secret is read from Vault; JWT_SECRET takes precedence."""
        tokens = self.tokens
        return tokens.checks_by_secret and tokens.secret is None and self.vault.address is not None

    @property
    def node_name(self) -> str:
        """The name of this node; `n1`, as in all older logs, unless it is set or in a cluster."""
        if self.node.name is not None:
            return self.node.name
        return "n1" if self.bus.url is None else host_node_name()

    @property
    def is_node_named(self) -> bool:
        """Whether the name of this node says more than that it is the only one."""
        return self.node.name is not None or self.bus.url is not None
