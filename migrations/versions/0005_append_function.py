"""PostgreSQL: the function that appends events, so that no client holds the lock of the head.

On SQLite nothing changes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MSGPACK = (
    """
    CREATE FUNCTION ws_msgpack_int(n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN n < 128 THEN substr(int8send(n), 8)
        WHEN n < 256 THEN '\\xcc'::bytea || substr(int8send(n), 8)
        WHEN n < 65536 THEN '\\xcd'::bytea || substr(int8send(n), 7)
        WHEN n < 4294967296 THEN '\\xce'::bytea || substr(int8send(n), 5)
        ELSE '\\xcf'::bytea || int8send(n)
    END $$
    """,
    """
    CREATE FUNCTION ws_msgpack_bytes(b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN b IS NULL THEN '\\xc0'::bytea
        WHEN length(b) < 256 THEN '\\xc4'::bytea || substr(int4send(length(b)), 4) || b
        WHEN length(b) < 65536 THEN '\\xc5'::bytea || substr(int4send(length(b)), 3) || b
        ELSE '\\xc6'::bytea || int4send(length(b)) || b
    END $$
    """,
    """
    CREATE FUNCTION ws_msgpack_text(t text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN t IS NULL THEN '\\xc0'::bytea
        WHEN octet_length(t) < 32
            THEN substr(int4send(160 + octet_length(t)), 4) || convert_to(t, 'UTF8')
        WHEN octet_length(t) < 256
            THEN '\\xd9'::bytea || substr(int4send(octet_length(t)), 4) || convert_to(t, 'UTF8')
        WHEN octet_length(t) < 65536
            THEN '\\xda'::bytea || substr(int4send(octet_length(t)), 3) || convert_to(t, 'UTF8')
        ELSE '\\xdb'::bytea || int4send(octet_length(t)) || convert_to(t, 'UTF8')
    END $$
    """,
)
"""MessagePack, as far as the hash of a row needs it; integers are not negative."""

_ARGUMENTS = (
    "p_node text, p_incarnation bigint, p_at bigint, p_head bigint, p_counts integer[], "
    "p_streams text[], p_types text[], p_schema_versions integer[], p_event_ids bytea[], "
    "p_correlation_ids text[], p_actors text[], p_datas bytea[], p_metas bytea[], "
    "p_conditions jsonb, p_projections jsonb, p_names jsonb, p_texts jsonb"
)

_APPEND = f"""
CREATE FUNCTION ws_append({_ARGUMENTS})
RETURNS TABLE (
    outcome text, detail text, at bigint, positions bigint[], versions bigint[], head bytea
)
LANGUAGE plpgsql VOLATILE SET enable_seqscan TO off AS $$
#variable_conflict use_column
-- Appends a batch: p_counts[n] events for the append n; the arrays of events go on from append to
-- append. Returns a row for each append ('added', 'known', 'version' or 'partly'), and one for the
-- head. `p_conditions` has an object for each append: "expect" maps streams to versions; "seen",
-- "needs" and "marks" are reserved, as is the incarnation of the node. With `p_head` the log must
-- end there, or go on with events of this batch alone: then it is sent again after a lost answer.
-- `p_projections` has the statements of read models by the number of their event.
DECLARE
    v_position bigint;
    v_hash bytea;
    v_epoch text;
    v_at bigint;
    v_looks_up boolean;
    v_first integer := 1;
    v_last integer;
    v_known integer;
    v_version bigint;
    v_stream text;
    v_expected bigint;
    v_condition jsonb;
    v_projection jsonb;
    v_positions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_event_ids)]);
BEGIN
    IF p_incarnation IS NOT NULL THEN
        RAISE EXCEPTION 'leases are not implemented' USING ERRCODE = 'feature_not_supported';
    END IF;
    SELECT l.position, l.hash, l.epoch INTO STRICT v_position, v_hash, v_epoch
        FROM log_head AS l WHERE l.id = 1 FOR UPDATE;
    IF p_head <> v_position AND (
        p_head > v_position OR EXISTS (
            SELECT 1 FROM events AS e
            WHERE e.position > p_head AND e.event_id <> ALL (p_event_ids)
        )
    ) THEN
        RAISE EXCEPTION 'the log ends at %, not at %', v_position, p_head USING ERRCODE = 'WS003';
    END IF;
    SELECT e.recorded_at INTO v_at FROM events AS e WHERE e.position = v_position;
    IF v_at IS NULL OR v_at <= p_at OR v_at - p_at > 1000000 THEN
        v_at := p_at;
    END IF;
    v_looks_up := EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = ANY (p_event_ids))
        OR (SELECT count(DISTINCT i) FROM unnest(p_event_ids) AS i) < cardinality(p_event_ids);

    FOR v_append IN 1 .. cardinality(p_counts) LOOP
        v_last := v_first + p_counts[v_append] - 1;
        v_condition := p_conditions -> (v_append - 1);
        outcome := 'added';
        detail := NULL;
        at := v_at;
        positions := '{{}}';
        versions := '{{}}';
        IF v_condition ?| ARRAY['seen', 'needs', 'marks'] THEN
            RAISE EXCEPTION 'keys are not implemented' USING ERRCODE = 'feature_not_supported';
        END IF;
        IF v_looks_up THEN
            SELECT count(*), max(e.recorded_at), array_agg(e.position ORDER BY n),
                    array_agg(e.version ORDER BY n)
                INTO v_known, at, positions, versions
                FROM generate_series(v_first, v_last) AS n
                JOIN events AS e ON e.event_id = p_event_ids[n];
            IF v_known = p_counts[v_append] AND v_known > 0 THEN
                outcome := 'known';
            ELSIF v_known > 0 THEN
                outcome := 'partly';
            ELSE
                at := v_at;
                positions := '{{}}';
                versions := '{{}}';
            END IF;
        END IF;
        IF outcome = 'added' AND v_condition ? 'expect' THEN
            FOR v_stream, v_expected IN
                SELECT key, value::bigint FROM jsonb_each_text(v_condition -> 'expect')
            LOOP
                SELECT coalesce(max(e.version), 0) INTO v_version
                    FROM events AS e WHERE e.stream = v_stream;
                IF v_version <> v_expected THEN
                    outcome := 'version';
                    detail := format('%s is at version %s, not at %s as expected',
                        v_stream, v_version, v_expected);
                    EXIT;
                END IF;
            END LOOP;
        END IF;
        IF outcome = 'added' THEN
            FOR n IN v_first .. v_last LOOP
                v_position := v_position + 1;
                SELECT e.version INTO v_version FROM events AS e
                    WHERE e.stream = p_streams[n] ORDER BY e.version DESC LIMIT 1;
                v_version := coalesce(v_version, 0) + 1;
                v_hash := sha256(
                    v_hash || '\\x9c'::bytea
                    || ws_msgpack_int(v_position)
                    || ws_msgpack_text(p_streams[n])
                    || ws_msgpack_int(v_version)
                    || ws_msgpack_text(p_types[n])
                    || ws_msgpack_int(p_schema_versions[n])
                    || ws_msgpack_bytes(p_event_ids[n])
                    || ws_msgpack_text(p_correlation_ids[n])
                    || ws_msgpack_text(p_actors[n])
                    || ws_msgpack_text(p_node)
                    || ws_msgpack_int(v_at)
                    || ws_msgpack_bytes(p_datas[n])
                    || ws_msgpack_bytes(p_metas[n])
                );
                INSERT INTO events (position, stream, version, type, schema_version, event_id,
                        correlation_id, actor, node, recorded_at, data, meta, hash)
                    VALUES (v_position, p_streams[n], v_version, p_types[n], p_schema_versions[n],
                        p_event_ids[n], p_correlation_ids[n], p_actors[n], p_node, v_at,
                        p_datas[n], p_metas[n], v_hash);
                v_positions[n] := v_position;
                positions := positions || v_position;
                versions := versions || v_version;
            END LOOP;
        END IF;
        RETURN NEXT;
        v_first := v_last + 1;
    END LOOP;

    FOR v_projection IN SELECT value FROM jsonb_array_elements(p_projections) LOOP
        v_known := (v_projection ->> 'event')::integer;
        IF v_positions[v_known] IS NOT NULL THEN
            EXECUTE v_projection ->> 'statement' USING (v_projection -> 'parameters')
                || jsonb_build_object('position', v_positions[v_known], 'recorded_at', v_at);
        END IF;
    END LOOP;
    INSERT INTO profiles ("user", name) SELECT key, value FROM jsonb_each_text(p_names)
        ON CONFLICT ("user") DO UPDATE SET name = excluded.name;
    INSERT INTO texts (chat, salt, text)
        SELECT key, value ->> 0, value ->> 1 FROM jsonb_each(p_texts)
        ON CONFLICT DO NOTHING;
    UPDATE log_head SET position = v_position, hash = v_hash WHERE id = 1;

    outcome := 'head';
    detail := v_epoch;
    at := v_at;
    positions := ARRAY[v_position];
    versions := '{{}}';
    head := v_hash;
    RETURN NEXT;
END $$
"""  # noqa: S608 - only our own text is put in


def create_statements() -> tuple[str, ...]:
    """Return the statements that create the functions."""
    return (*_MSGPACK, _APPEND)


def signatures() -> tuple[str, ...]:
    """Return the functions with the types of their arguments, in the order to drop them."""
    kinds = (("int", "bigint"), ("bytes", "bytea"), ("text", "text"))
    return (f"ws_append({_ARGUMENTS})", *(f"ws_msgpack_{kind}({type_})" for kind, type_ in kinds))


def upgrade() -> None:
    """Create the functions."""
    if op.get_bind().dialect.name == "sqlite":
        return
    # As a driver sees it: neither colons nor percent signs of the text are parameters.
    for statement in create_statements():
        op.get_bind().connection.cursor().execute(statement)
    # SQLite does not enforce the length; here the id of a match in a room with a long one must fit.
    for table in ("outbox", "bearers"):
        op.alter_column(table, "match", type_=sa.String(96))


def downgrade() -> None:
    """Drop the functions."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for signature in signatures():
        op.execute(f"DROP FUNCTION {signature}")
