"""PostgreSQL: several nodes append to one log; a batch of rows is inserted by one statement.

On SQLite nothing changes.
"""

from types import ModuleType

import sqlalchemy as sa
from alembic import context, op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NODES = (
    """
    CREATE FUNCTION ws_node_key(p_node text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT hashtextextended('ws-service-node:' || current_schema() || ':' || p_node, 0)
    $$
    """,
    # A node that was killed has no session any more, one that is stopped has. A lock that was taken
    # before the server was started says nothing: all sessions have ended since.
    """
    CREATE FUNCTION ws_node_is_gone(p_row nodes) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT p_row.expires_at <= clock_timestamp() OR (
        p_row.renewed_at <= clock_timestamp() - interval '750 milliseconds'
        AND p_row.locked_since = pg_postmaster_start_time()
        AND NOT EXISTS (
            SELECT 1 FROM pg_locks AS l
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
                AND l.database = (SELECT d.oid FROM pg_database AS d
                    WHERE d.datname = current_database())
                AND l.classid = ((ws_node_key(p_row.node) >> 32) & 4294967295)::oid
                AND l.objid = (ws_node_key(p_row.node) & 4294967295)::oid
        )
    )
    $$
    """,
    # After a start of the server every node first gets the time to renew its lease.
    """
    CREATE FUNCTION ws_node_may_declare(p_node text, p_incarnation bigint) RETURNS boolean
    LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() >= pg_postmaster_start_time() + interval '4 seconds' AND EXISTS (
        SELECT 1 FROM nodes AS n
        WHERE n.node = p_node AND n.incarnation = p_incarnation AND NOT n.lost
            AND n.server_started = pg_postmaster_start_time() AND n.renewals >= 2
    )
    $$
    """,
    # Whether the append of a node.lost may be written. The row stays locked until the end of the
    # append, so that the node can't renew its lease in between.
    """
    CREATE FUNCTION ws_node_can_be_lost(p_node text, p_incarnation bigint, p_lost jsonb)
    RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    DECLARE
        v_row nodes;
    BEGIN
        SELECT n.* INTO v_row FROM nodes AS n
            WHERE n.node = p_lost ->> 'node' AND NOT n.lost
                AND n.incarnation = (p_lost ->> 'incarnation')::bigint
            FOR UPDATE;
        RETURN v_row.node IS NULL OR v_row.node = p_node OR p_incarnation IS NULL
            OR (ws_node_may_declare(p_node, p_incarnation) AND ws_node_is_gone(v_row));
    END $$
    """,
)

_ARGUMENTS = (
    "p_node text, p_incarnation bigint, p_at bigint, p_head bigint, p_head_hash bytea, "
    "p_counts integer[], p_streams text[], p_types text[], p_schema_versions integer[], "
    "p_event_ids bytea[], p_correlation_ids text[], p_actors text[], p_datas bytea[], "
    "p_metas bytea[], p_packed_streams bytea[], p_packed_origins bytea[], p_seen bigint[], "
    "p_needs text[], p_keys text[], p_expects jsonb, p_projections jsonb, p_names jsonb, "
    "p_texts jsonb, p_one_by_one boolean"
)


def _packed_int(number: str) -> str:
    """Return the expression of an integer that is not negative in MessagePack."""
    return f"""CASE
            WHEN {number} < 128 THEN substr(int8send({number}), 8)
            WHEN {number} < 256 THEN '\\xcc'::bytea || substr(int8send({number}), 8)
            WHEN {number} < 65536 THEN '\\xcd'::bytea || substr(int8send({number}), 7)
            WHEN {number} < 4294967296 THEN '\\xce'::bytea || substr(int8send({number}), 5)
            ELSE '\\xcf'::bytea || int8send({number})
        END"""


def _packed_bytes(value: str) -> str:
    """Return the expression of bytes, or NULL, in MessagePack."""
    return f"""CASE
            WHEN {value} IS NULL THEN '\\xc0'::bytea
            WHEN length({value}) < 256
                THEN '\\xc4'::bytea || substr(int4send(length({value})), 4) || {value}
            WHEN length({value}) < 65536
                THEN '\\xc5'::bytea || substr(int4send(length({value})), 3) || {value}
            ELSE '\\xc6'::bytea || int4send(length({value})) || {value}
        END"""


_APPEND = f"""
CREATE FUNCTION ws_append({_ARGUMENTS})
RETURNS TABLE (
    head bigint, hash bytea, epoch text, at bigint, versions bigint[], outcomes text[],
    details text[], known_positions bigint[], known_versions bigint[], known_at bigint[]
)
LANGUAGE plpgsql VOLATILE SET enable_seqscan TO off AS $$
#variable_conflict use_column
-- Appends a batch: p_counts[a] events for the append a; the arrays of events go on from append to
-- append. Returns one row: the new head; the time and the versions of the events that were added,
-- in order; and unless all were, an outcome for each append: 'added', 'known' (it was in the log;
-- then its positions are in the arrays of known events), 'partly', 'lost' (the incarnation of the
-- node), 'version', 'keys', or 'alive' (the node that it declares lost). An append that is in the
-- log is always told so, whatever else would refuse it.
--
-- Without p_incarnation one process alone appends: the log must end at p_head, or go on with events
-- of this batch alone, which is then sent again after a lost answer. Several nodes give their
-- incarnation; each p_needs[a] (an array of keys, or NULL) must not be met by an event after
-- p_seen[a]. p_keys[n] are the keys of the event n, stored at the last one of an append.
-- p_packed_streams and p_packed_origins are parts of the hashed row in MessagePack; an origin is
-- type, schema version, event id, correlation id, actor and node.
-- With p_one_by_one some events may be in the log already, or appends of the batch may meet keys
-- of each other; without it the unique index of event ids refuses the whole batch.
-- p_projections has the statements of read models by the number of their event; p_names and
-- p_texts have rows that begin with the number of their append.
DECLARE
    v_row tid;
    v_position bigint;
    v_before bigint;
    v_hash bytea;
    v_epoch text;
    v_at bigint;
    v_barrier bigint;
    v_new_barrier bigint;
    v_count integer := cardinality(p_event_ids);
    v_is_lost boolean := false;
    v_gap jsonb;
    v_conflicts integer[];
    v_node_events integer[];
    v_lost jsonb[];
    v_is_simple boolean;
    v_is_looked_up boolean := false;
    v_first integer := 1;
    v_last integer;
    v_found integer;
    v_outcome text;
    v_detail text;
    v_marks text[] := '{{}}';
    v_same integer[];
    v_added integer[];
    v_positions bigint[];
    v_packed_at bytea;
    v_hashes bytea[] := '{{}}';
    v_stream text;
    v_expected bigint;
    v_version bigint;
    v_projection jsonb;
    v_number integer;
BEGIN
    -- Backwards, so that the newest version of the row comes first: a dump, or any other long
    -- transaction, keeps all versions since its begin.
    SELECT l.ctid, l.position, l.hash, l.epoch, l.recorded_at, l.barrier
        INTO STRICT v_row, v_position, v_hash, v_epoch, v_at, v_barrier
        FROM log_head AS l WHERE l.id <= 1 ORDER BY l.id DESC LIMIT 1 FOR UPDATE;
    v_before := v_position;
    v_new_barrier := v_barrier;
    IF p_head > v_position OR (p_head = v_position AND p_head_hash <> v_hash) OR (
        p_head < v_position AND p_incarnation IS NULL AND EXISTS (
            SELECT 1 FROM events AS e
            WHERE e.position > p_head AND e.event_id <> ALL (p_event_ids)
        )
    ) OR (
        p_head < v_position AND p_incarnation IS NOT NULL AND EXISTS (
            SELECT 1 FROM events AS e WHERE e.position = p_head AND e.hash <> p_head_hash
        )
    ) THEN
        RAISE EXCEPTION 'the log ends at %, not at %', v_position, p_head USING ERRCODE = 'WS003';
    END IF;
    IF v_at IS NULL THEN
        SELECT e.recorded_at INTO v_at FROM events AS e WHERE e.position = v_position;
    END IF;
    IF p_at IS NULL THEN
        -- Nodes have one clock between them: that of the database.
        p_at := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    END IF;
    IF v_at IS NULL OR v_at <= p_at OR v_at - p_at > 1000000 THEN
        v_at := p_at;
    END IF;

    IF p_incarnation IS NOT NULL THEN
        v_is_lost := NOT EXISTS (
            SELECT 1 FROM nodes AS n
            WHERE n.node = p_node AND n.incarnation = p_incarnation AND NOT n.lost
        );
    END IF;
    IF p_seen IS NOT NULL THEN
        SELECT count(*) FILTER (WHERE c.seen > v_position), min(c.seen)
            INTO v_found, v_expected
            FROM unnest(p_seen) AS c(seen);
        IF v_found > 0 THEN
            RAISE EXCEPTION 'the log ends at %, before what was seen', v_position
                USING ERRCODE = 'WS003';
        END IF;
        IF v_expected < v_position THEN
            -- Not by a join: the planner knows neither how many keys there are nor how many needs.
            SELECT jsonb_object_agg(g.key, g.position) INTO v_gap FROM (
                SELECT k.key, max(k.position) AS position FROM (
                    SELECT e.position, unnest(e.keys) AS key FROM events AS e
                    WHERE e.position > greatest(v_expected, v_position - 10000)
                        AND e.keys IS NOT NULL
                ) AS k GROUP BY k.key
            ) AS g;
            SELECT array_agg(DISTINCT n.number) INTO v_conflicts FROM (
                SELECT t.number, t.seen, unnest(t.needs::text[]) AS key
                FROM unnest(p_seen, p_needs) WITH ORDINALITY AS t(seen, needs, number)
            ) AS n
            WHERE n.seen < v_position - 10000 OR n.seen < v_barrier
                OR (v_gap ->> n.key)::bigint > n.seen;
        END IF;
    END IF;
    SELECT array_agg(n) INTO v_node_events FROM unnest(p_types) WITH ORDINALITY AS t(type, n)
        WHERE t.type IN ('node.lost', 'node.started');
    v_is_simple := NOT (v_is_lost OR p_one_by_one) AND v_conflicts IS NULL AND p_expects IS NULL
        AND v_node_events IS NULL;

    IF NOT v_is_simple THEN
        v_positions := array_fill(NULL::bigint, ARRAY[v_count]);
        v_added := '{{}}';
        FOR v_append IN 1 .. cardinality(p_counts) LOOP
            v_last := v_first + p_counts[v_append] - 1;
            v_outcome := 'added';
            v_detail := NULL;
            IF v_is_lost THEN
                v_outcome := 'lost';
            END IF;
            IF v_outcome = 'added' AND p_expects ? (v_append - 1)::text THEN
                FOR v_stream, v_expected IN
                    SELECT key, value::bigint
                    FROM jsonb_each_text(p_expects -> (v_append - 1)::text)
                LOOP
                    SELECT coalesce(max(e.version), 0) + (
                            SELECT count(*) FROM unnest(v_added) AS n WHERE p_streams[n] = v_stream
                        ) INTO v_version
                        FROM events AS e WHERE e.stream = v_stream;
                    IF v_version <> v_expected THEN
                        v_outcome := 'version';
                        v_detail := format('%s is at version %s, not at %s as expected',
                            v_stream, v_version, v_expected);
                        EXIT;
                    END IF;
                END LOOP;
            END IF;
            IF v_outcome = 'added' AND p_needs[v_append] IS NOT NULL AND (
                v_append = ANY (v_conflicts) OR p_seen[v_append] < v_new_barrier
                OR p_needs[v_append]::text[] && v_marks
            ) THEN
                v_outcome := 'keys';
                v_detail := v_position::text;
            END IF;
            IF NOT v_is_looked_up AND (p_one_by_one OR v_outcome <> 'added') THEN
                v_is_looked_up := true;
                SELECT array_agg(t.same ORDER BY t.n), array_agg(e.position ORDER BY t.n),
                        array_agg(e.version ORDER BY t.n), array_agg(e.recorded_at ORDER BY t.n)
                    INTO v_same, known_positions, known_versions, known_at
                    FROM (
                        SELECT n, id, min(n) OVER (PARTITION BY id) AS same
                        FROM unnest(p_event_ids) WITH ORDINALITY AS i(id, n)
                    ) AS t
                    LEFT JOIN events AS e ON e.event_id = t.id;
            END IF;
            IF v_is_looked_up AND p_counts[v_append] > 0 THEN
                v_found := 0;
                FOR n IN v_first .. v_last LOOP
                    IF known_positions[n] IS NULL AND v_same[n] < v_first THEN
                        known_positions[n] := v_positions[v_same[n]];
                    END IF;
                    v_found := v_found + (known_positions[n] IS NOT NULL)::integer;
                END LOOP;
                IF v_found = p_counts[v_append] THEN
                    v_outcome := 'known';
                    v_detail := NULL;
                ELSIF v_found > 0 THEN
                    v_outcome := 'partly';
                    v_detail := NULL;
                END IF;
            END IF;
            IF v_outcome = 'added' AND v_node_events IS NOT NULL THEN
                v_lost := ARRAY(
                    SELECT convert_from(p_datas[n], 'UTF8')::jsonb FROM unnest(v_node_events) AS n
                    WHERE n BETWEEN v_first AND v_last AND p_types[n] = 'node.lost'
                );
                IF NOT (
                    SELECT coalesce(bool_and(ws_node_can_be_lost(p_node, p_incarnation, l)), true)
                    FROM unnest(v_lost) AS l
                ) THEN
                    v_outcome := 'alive';
                ELSIF EXISTS (
                    SELECT 1 FROM unnest(v_node_events) AS n WHERE n BETWEEN v_first AND v_last
                ) THEN
                    v_new_barrier := v_position + p_counts[v_append];
                    UPDATE nodes AS n SET lost = true FROM unnest(v_lost) AS l
                        WHERE n.node = l ->> 'node'
                            AND n.incarnation = (l ->> 'incarnation')::bigint;
                    -- It was perhaps the last word of this node.
                    v_is_lost := p_incarnation IS NOT NULL AND NOT EXISTS (
                        SELECT 1 FROM nodes AS n
                        WHERE n.node = p_node AND n.incarnation = p_incarnation AND NOT n.lost
                    );
                END IF;
            END IF;
            IF v_outcome = 'added' THEN
                FOR n IN v_first .. v_last LOOP
                    v_position := v_position + 1;
                    v_positions[n] := v_position;
                    v_added := v_added || n;
                END LOOP;
                IF v_last >= v_first THEN
                    v_marks := v_marks || p_keys[v_last]::text[];
                END IF;
            END IF;
            outcomes := outcomes || v_outcome;
            details := details || v_detail;
            v_first := v_last + 1;
        END LOOP;
        IF cardinality(v_added) < v_count THEN
            v_count := cardinality(v_added);
            SELECT array_agg(p_streams[n]), array_agg(p_types[n]), array_agg(p_schema_versions[n]),
                    array_agg(p_event_ids[n]), array_agg(p_correlation_ids[n]),
                    array_agg(p_actors[n]), array_agg(p_datas[n]), array_agg(p_metas[n]),
                    array_agg(p_packed_streams[n]), array_agg(p_packed_origins[n]),
                    array_agg(p_keys[n])
                INTO p_streams, p_types, p_schema_versions, p_event_ids, p_correlation_ids,
                    p_actors, p_datas, p_metas, p_packed_streams, p_packed_origins, p_keys
                FROM unnest(v_added) AS n;
        END IF;
    END IF;

    IF v_count > 0 THEN
        SELECT array_agg(s.version ORDER BY s.n) INTO versions FROM (
            SELECT t.n, row_number() OVER (PARTITION BY t.stream ORDER BY t.n) + coalesce((
                SELECT e.version FROM events AS e WHERE e.stream = t.stream
                ORDER BY e.version DESC LIMIT 1
            ), 0) AS version
            FROM unnest(p_streams) WITH ORDINALITY AS t(stream, n)
        ) AS s;
        v_packed_at := {_packed_int("v_at")};
        FOR n IN 1 .. v_count LOOP
            v_hash := sha256(
                v_hash || '\\x9c'::bytea || {_packed_int("(v_before + n)")}
                || p_packed_streams[n] || {_packed_int("versions[n]")}
                || p_packed_origins[n] || v_packed_at
                || {_packed_bytes("p_datas[n]")} || {_packed_bytes("p_metas[n]")}
            );
            v_hashes[n] := v_hash;
        END LOOP;
        INSERT INTO events (position, stream, version, type, schema_version, event_id,
                correlation_id, actor, node, recorded_at, data, meta, hash, keys)
            SELECT v_before + t.n, t.stream, t.version, t.type, t.schema_version, t.event_id,
                t.correlation_id, t.actor, p_node, v_at, t.data, t.meta, t.hash, t.keys::text[]
            FROM unnest(p_streams, versions, p_types, p_schema_versions, p_event_ids,
                p_correlation_ids, p_actors, p_datas, p_metas, v_hashes, p_keys)
                WITH ORDINALITY AS t(stream, version, type, schema_version, event_id,
                    correlation_id, actor, data, meta, hash, keys, n);
    END IF;
    v_position := v_before + v_count;

    IF p_projections IS NOT NULL THEN
        FOR v_projection IN SELECT value FROM jsonb_array_elements(p_projections) LOOP
            v_number := (v_projection ->> 'event')::integer;
            IF v_is_simple THEN
                v_expected := v_before + v_number;
            ELSE
                v_expected := v_positions[v_number];
            END IF;
            IF v_expected IS NOT NULL THEN
                EXECUTE v_projection ->> 'statement' USING (v_projection -> 'parameters')
                    || jsonb_build_object('position', v_expected, 'recorded_at', v_at);
            END IF;
        END LOOP;
    END IF;
    IF p_names IS NOT NULL THEN
        INSERT INTO profiles ("user", name)
            SELECT DISTINCT ON (value ->> 1) value ->> 1, value ->> 2
            FROM jsonb_array_elements(p_names) WITH ORDINALITY AS t(value, n)
            WHERE coalesce(outcomes[(value ->> 0)::integer], 'added') IN ('added', 'known')
            ORDER BY value ->> 1, n DESC
            ON CONFLICT ("user") DO UPDATE SET name = excluded.name;
    END IF;
    IF p_texts IS NOT NULL THEN
        INSERT INTO texts (chat, salt, text)
            SELECT value ->> 1, value ->> 2, value ->> 3
            FROM jsonb_array_elements(p_texts) WITH ORDINALITY AS t(value, n)
            WHERE coalesce(outcomes[(value ->> 0)::integer], 'added') IN ('added', 'known')
            ORDER BY n
            ON CONFLICT DO NOTHING;
    END IF;
    IF v_count > 0 THEN
        UPDATE log_head
            SET position = v_position, hash = v_hash, recorded_at = v_at, barrier = v_new_barrier
            WHERE ctid = v_row;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the head of the log could not be moved';
        END IF;
    END IF;
    head := v_position;
    hash := v_hash;
    epoch := v_epoch;
    at := v_at;
    RETURN NEXT;
END $$
"""  # noqa: S608 - only our own text is put in


def append_statement() -> str:
    """Return the statement that creates the function, for the revision after this one."""
    return _APPEND


def upgrade() -> None:
    """Add what several nodes need, and replace the function."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute("ALTER TABLE events ADD COLUMN keys text[]")
    op.add_column("log_head", sa.Column("recorded_at", sa.BigInteger()))
    op.add_column("log_head", sa.Column("barrier", sa.BigInteger(), server_default="0"))
    op.alter_column("log_head", "barrier", nullable=False)
    op.create_table(
        "nodes",
        sa.Column("node", sa.String(64), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("server_started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewals", sa.BigInteger(), nullable=False),
        sa.Column("locked_since", sa.DateTime(timezone=True)),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_nodes")),
    )
    _drop_old()
    for statement in (*_NODES, _APPEND):
        _run(statement)


def downgrade() -> None:
    """Put the function of one node back; the keys of events are dropped."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(f"DROP FUNCTION ws_append({_ARGUMENTS})")
    op.execute("DROP FUNCTION ws_node_can_be_lost(text, bigint, jsonb)")
    op.execute("DROP FUNCTION ws_node_may_declare(text, bigint)")
    op.execute("DROP FUNCTION ws_node_is_gone(nodes)")
    op.execute("DROP FUNCTION ws_node_key(text)")
    op.drop_table("nodes")
    op.drop_column("log_head", "barrier")
    op.drop_column("log_head", "recorded_at")
    op.execute("ALTER TABLE events DROP COLUMN keys")
    for statement in _old().create_statements():
        _run(statement)


def _drop_old() -> None:
    for signature in _old().signatures():
        op.execute(f"DROP FUNCTION {signature}")


def _old() -> ModuleType:
    """Return the module of the revision before, which has no name to import it by."""
    return context.script.get_revision(down_revision).module


def _run(statement: str) -> None:
    """Run a statement as a driver sees it: neither colons nor percent signs are parameters."""
    op.get_bind().connection.cursor().execute(statement)
