"""Authentication of JWTs: algorithms, issuers, and the sources of keys."""

from pydantic import SecretStr

from service.settings.fields import part, section, setting
from service.settings.kinds import SECRET_LENGTH_MIN, Algorithms, HttpUrl, Issuers, Names, VaultPath


def pem(key: str) -> str:
    """Replace each escaped newline of a key that was set in one line."""
    return key.replace("\\n", "\n")


@section
class JwksTimes:
    """Intervals and timeout of fetching a JSON Web Key Set."""

    refresh_s: float = setting(
        "JWT_JWKS_REFRESH_S",
        300,
        "Interval of fetching published keys.",
        unit="s",
        ge=1,
        le=86400,
    )
    cooldown_s: float = setting(
        "JWT_JWKS_COOLDOWN_S",
        10,
        "Minimum time between two fetches caused by unknown key ids.",
        unit="s",
        ge=0.1,
        le=3600,
    )
    timeout_s: float = setting(
        "JWT_JWKS_TIMEOUT_S",
        5,
        "Timeout of fetching published keys.",
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
        "Secret that tokens are signed with (HS*); use 32 random bytes or more.",
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
        "Public key that verifies tokens; JWT_ALGORITHMS must name RS*, ES* or EdDSA.",
        allowed="a public key in PEM; newlines may be written as \\n",
    )
    jwks_url: HttpUrl | None = setting(
        "JWT_JWKS_URL",
        None,
        "URL of the published keys that verify tokens; see JWT_ALGORITHMS.",
        allowed="a URL of a JSON Web Key Set, without user and password",
    )
    issuers: Issuers = setting(
        "JWT_ISSUERS",
        None,
        "Several issuers by exact `iss`; `audience` of one overrides JWT_AUDIENCE.",
        allowed='JSON like {"https://auth.example.org": {"jwks_url": "https://...", '
        '"audience": "games"}}',
        min_length=1,
    )
    audience: str | None = setting("JWT_AUDIENCE", None, "Required `aud` of tokens.")
    issuer: str | None = setting("JWT_ISSUER", None, "Required `iss` of tokens.")
    name_claims: Names = setting(
        "JWT_NAME_CLAIMS",
        ("name", "username"),
        "Claims that hold the public display name; the first one present is used.",
        allowed="names of claims, separated by commas",
        min_length=1,
    )
    leeway_s: float = setting(
        "JWT_LEEWAY_S",
        5,
        "Clock skew that is tolerated in `exp`, `nbf` and `iat`.",
        unit="s",
        ge=0,
        le=300,
    )
    name_length_max: int = setting(
        "WS_NAME_LENGTH_MAX",
        64,
        "Maximum length of a display name.",
        unit="characters",
        ge=1,
        le=1024,
    )
    jwks: JwksTimes = part(JwksTimes)

    @property
    def checks_by_secret(self) -> bool:
        """Whether tokens are signed with a secret (HS*), and not with a private key."""
        return self.algorithms[0].startswith("HS")

    @property
    def public_key_pem(self) -> str | None:
        """The public key, with escaped newlines replaced."""
        return self.public_key and pem(self.public_key)


@section
class VaultSettings:
    """Vault: how to sign in, and how the secret is polled."""

    address: HttpUrl | None = setting(
        "VAULT_ADDR",
        None,
        "Vault to read the secret from when JWT_SECRET is not set.",
        allowed="a URL like https://vault.example.org:8200, without user and password",
    )
    token: SecretStr | None = setting("VAULT_TOKEN", None, "Vault token.")
    role_id: str | None = setting(
        "VAULT_ROLE_ID", None, "Role id of an AppRole login, instead of VAULT_TOKEN."
    )
    secret_id: SecretStr | None = setting(
        "VAULT_SECRET_ID",
        None,
        "Secret id of the AppRole login; it must be valid for more than one login.",
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
        "Interval of reading the secret again, so that it can be rotated.",
        unit="s",
        ge=0.1,
        le=86400,
    )
    grace_s: float = setting(
        "VAULT_GRACE_S",
        3600,
        "Time that tokens signed with the previous secret are still accepted.",
        unit="s",
        ge=0,
        le=30 * 86400,
    )
    start_timeout_s: float = setting(
        "VAULT_START_TIMEOUT_S",
        30,
        "How long a start waits for Vault to return the secret.",
        unit="s",
        ge=0,
        le=3600,
    )
    timeout_s: float = setting(
        "VAULT_TIMEOUT_S",
        5,
        "Timeout of a request to Vault.",
        unit="s",
        ge=0.1,
        le=60,
    )
