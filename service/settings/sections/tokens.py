"""Authentication of JWTs: algorithms, issuers, and the sources of keys."""

from pydantic import SecretStr

from service.settings.fields import part, section, setting
from service.settings.kinds import SECRET_LENGTH_MIN, Algorithms, HttpUrl, Issuers, Names, VaultPath


def pem(key: str) -> str:
    """Write a key that was set in one line with real ends of lines."""
    return key.replace("\\n", "\n")


@section
class JwksTimes:
    """Intervals and timeout of fetching a JSON Web Key Set."""

    refresh_s: float = setting(
        "JWT_JWKS_REFRESH_S",
        300,
        "Time after which published keys are fetched again.",
        unit="s",
        ge=1,
        le=86400,
    )
    cooldown_s: float = setting(
        "JWT_JWKS_COOLDOWN_S",
        10,
        "Least time between two fetches, however many tokens name an unknown key.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    timeout_s: float = setting(
        "JWT_JWKS_TIMEOUT_S",
        5,
        "How long the answer with the keys is waited for.",
        unit="s",
        ge=0.1,
        le=60,
    )


@section
class TokenSettings:
    """How JWTs are authenticated, and which claims are read."""

    secret: SecretStr | None = setting(
        "JWT_SECRET",
        None,
        "Secret that tokens are signed with (HS*); 32 bytes or more are safe.",
        allowed=f"a text of at least {SECRET_LENGTH_MIN} characters",
        min_length=SECRET_LENGTH_MIN,
    )
    algorithms: Algorithms = setting(
        "JWT_ALGORITHMS",
        ("HS256",),
        "Algorithms of accepted tokens; with JWT_PUBLIC_KEY or published keys: RS*, ES*, EdDSA.",
        min_length=1,
    )
    public_key: str | None = setting(
        "JWT_PUBLIC_KEY",
        None,
        "Public key that tokens are checked with; JWT_ALGORITHMS must name RS*, ES* or EdDSA.",
        allowed="a public key in PEM; \\n may stand for a line's end",
    )
    jwks_url: HttpUrl | None = setting(
        "JWT_JWKS_URL",
        None,
        "Where the keys that tokens are checked with are published; see JWT_ALGORITHMS.",
        allowed="a URL of a JSON Web Key Set, without user and password",
    )
    issuers: Issuers = setting(
        "JWT_ISSUERS",
        None,
        "Several issuers, each by its `iss`, compared exactly; `audience` replaces JWT_AUDIENCE.",
        allowed='JSON like {"https://auth.example.org": {"jwks_url": "https://...", '
        '"audience": "games"}}',
        min_length=1,
    )
    audience: str | None = setting("JWT_AUDIENCE", None, "Required `aud` of tokens.")
    issuer: str | None = setting("JWT_ISSUER", None, "Required `iss` of tokens.")
    name_claims: Names = setting(
        "JWT_NAME_CLAIMS",
        ("name", "username"),
        "Claims of tokens that hold the display name, which everybody sees; the first one counts.",
        allowed="names of claims, separated by commas",
        min_length=1,
    )
    leeway_s: float = setting(
        "JWT_LEEWAY_S", 5, "Clock difference forgiven in `exp` and `nbf`.", unit="s", ge=0, le=300
    )
    name_length_max: int = setting(
        "WS_NAME_LENGTH_MAX", 64, "Longest name of a user.", unit="characters", ge=1, le=1024
    )
    jwks: JwksTimes = part(JwksTimes)

    @property
    def checks_by_secret(self) -> bool:
        """Whether tokens are signed with a secret (HS*), and not with a private key."""
        return self.algorithms[0].startswith("HS")

    @property
    def public_key_pem(self) -> str | None:
        """The public key, with real ends of lines."""
        return self.public_key and pem(self.public_key)


@section
class VaultSettings:
    """Vault: how to sign in, and how the secret is polled."""

    address: HttpUrl | None = setting(
        "VAULT_ADDR",
        None,
        "Vault that holds the secret when JWT_SECRET is not set.",
        allowed="a URL like https://vault.example.org:8200, without user and password",
    )
    token: SecretStr | None = setting("VAULT_TOKEN", None, "Token to sign in to Vault with.")
    role_id: str | None = setting(
        "VAULT_ROLE_ID", None, "Role to sign in to Vault with, by AppRole, in place of a token."
    )
    secret_id: SecretStr | None = setting(
        "VAULT_SECRET_ID", None, "Secret id of the role; it must be good for more than one login."
    )
    path: VaultPath = setting(
        "VAULT_PATH",
        "secret/data/jwt",
        "Path of the secret (key-value engine, version 2).",
        allowed="a path like secret/data/jwt",
    )
    key: str = setting("VAULT_KEY", "JWT_SECRET", "Key of the secret at its path.")
    poll_s: float = setting(
        "VAULT_POLL_S",
        60,
        "Time after which the secret is read again, so that it may be rotated.",
        unit="s",
        ge=0.1,
        le=86400,
    )
    grace_s: float = setting(
        "VAULT_GRACE_S",
        3600,
        "How long tokens signed with the former secret are still accepted.",
        unit="s",
        ge=0,
        le=30 * 86400,
    )
    start_timeout_s: float = setting(
        "VAULT_START_TIMEOUT_S",
        30,
        "How long a start waits for a Vault that gives no secret.",
        unit="s",
        ge=0,
        le=3600,
    )
    timeout_s: float = setting(
        "VAULT_TIMEOUT_S",
        5,
        "How long one answer of Vault is waited for.",
        unit="s",
        ge=0.1,
        le=60,
    )
