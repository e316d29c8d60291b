-- Edges, each with its number within the fleet; times are seconds since 1970.
CREATE TABLE edge (
    number         BIGINT PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    device_number  TEXT NOT NULL UNIQUE,
    display_name   TEXT NOT NULL,
    platform       TEXT NOT NULL,
    arch           TEXT NOT NULL,
    labels         TEXT NOT NULL,
    lifecycle      TEXT NOT NULL,
    enrolled_by    TEXT NOT NULL,
    enrolled_at    BIGINT NOT NULL,
    reenroll_until BIGINT,
    upgrade_status TEXT NOT NULL,
    upgrade_reason TEXT,
    rotate         BIGINT NOT NULL
);
-- How an edge was when it was heard last: written behind, so that the last seconds may be missing.
CREATE TABLE edge_presence (
    number         BIGINT PRIMARY KEY,
    seen_at        BIGINT NOT NULL,
    installed      TEXT NOT NULL,
    runtime_state  TEXT NOT NULL,
    active_task    TEXT,
    uptime_seconds BIGINT NOT NULL,
    last_error     TEXT,
    boot_id        TEXT NOT NULL,
    sequence       BIGINT NOT NULL
);
-- Credentials of edges: of each the digest of its secret alone.
CREATE TABLE edge_credential (
    prefix     TEXT PRIMARY KEY,
    edge       BIGINT NOT NULL,
    digest     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX edge_credential_edge ON edge_credential (edge);
-- Enrollment tokens: of each the digest of its secret alone.
CREATE TABLE edge_token (
    id           TEXT PRIMARY KEY,
    prefix       TEXT NOT NULL UNIQUE,
    digest       TEXT NOT NULL,
    label        TEXT NOT NULL,
    labels       TEXT NOT NULL,
    max_uses     BIGINT,
    used_count   BIGINT NOT NULL,
    expires_at   BIGINT,
    created_at   BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    CHECK (max_uses IS NULL OR used_count <= max_uses)
);
-- Releases and their artifacts; the bytes lie beside the database.
CREATE TABLE edge_release (
    product   TEXT NOT NULL,
    version   TEXT NOT NULL,
    counter   BIGINT NOT NULL,
    notes     TEXT NOT NULL,
    added_at  BIGINT NOT NULL,
    added_by  TEXT NOT NULL,
    yanked_at BIGINT,
    PRIMARY KEY (product, version),
    UNIQUE (product, counter)
);
CREATE TABLE edge_artifact (
    product          TEXT NOT NULL,
    version          TEXT NOT NULL,
    platform         TEXT NOT NULL,
    arch             TEXT NOT NULL,
    install_type     TEXT NOT NULL,
    file_name        TEXT NOT NULL,
    sha256           TEXT NOT NULL,
    size             BIGINT NOT NULL,
    legacy_signature TEXT,
    legacy_key       TEXT,
    PRIMARY KEY (product, version, platform, arch, install_type)
);
-- Signed metadata, every version that was published.
CREATE TABLE edge_metadata (
    role         TEXT NOT NULL,
    version      BIGINT NOT NULL,
    document     TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    PRIMARY KEY (role, version)
);
-- Campaigns and their members.
CREATE TABLE edge_campaign (
    id         TEXT PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    selector   TEXT NOT NULL,
    spec       TEXT NOT NULL,
    standing   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    undoes     TEXT NOT NULL
);
CREATE TABLE edge_member (
    campaign         TEXT NOT NULL,
    edge             BIGINT NOT NULL,
    place            BIGINT NOT NULL,
    wave             BIGINT NOT NULL,
    state            TEXT NOT NULL,
    attempt          BIGINT NOT NULL,
    unanswered       BIGINT NOT NULL,
    since            BIGINT NOT NULL,
    epoch            BIGINT NOT NULL,
    not_before       BIGINT NOT NULL,
    previous_version TEXT,
    failure          TEXT,
    reason           TEXT,
    PRIMARY KEY (campaign, edge)
);
-- What happened to edges and campaigns, for people.
CREATE TABLE edge_event (
    number   BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    edge     BIGINT NOT NULL,
    campaign TEXT NOT NULL,
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL
);
CREATE INDEX edge_event_edge ON edge_event (edge, number);
