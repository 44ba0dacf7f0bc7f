-- Payments: what was asked of whom, what became of it, and each step on the way.
-- Core PostgreSQL only (12 or newer): no extension.

CREATE TABLE payments (
    id           uuid PRIMARY KEY,
    -- Of the request: asked for again under the same key it is the same payment, for good.
    key          text NOT NULL UNIQUE,
    -- SHA-256 of what was asked: the same key with something else is a mistake.
    digest       bytea NOT NULL,
    provider     text NOT NULL CHECK (provider IN ('paypal', 'tranzila')),
    status       text NOT NULL DEFAULT 'created' CHECK (status IN (
        'created', 'sent', 'approved', 'paid', 'refunded', 'failed', 'expired', 'cancelled'
    )),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency     text NOT NULL CHECK (currency IN ('ILS', 'USD', 'EUR', 'GBP', 'JPY')),
    what_for     text NOT NULL,
    author       text NOT NULL CHECK (author IN ('agent', 'program')),
    contact_id   uuid REFERENCES contacts (id),
    -- No reference to calls: asked for while the call's own records may still be on their way.
    call_sid     text,
    -- Opens the pay page to whoever was given it.
    token        text NOT NULL UNIQUE,
    -- Goes through the provider and comes back in its own records.
    reference    text NOT NULL UNIQUE,
    -- How often an order was made at the provider; of the last one its id and the payer's link.
    attempt      integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    order_id     text,
    link         text,
    opened_at    timestamptz,
    -- The provider's id of the money that was taken.
    proof        text,
    paid_at      timestamptz,
    -- A refund was asked for: and nobody knows yet, or the provider refused it.
    refund       text CHECK (refund IN ('asked', 'refused')),
    refund_proof text,
    refunded_at  timestamptz,
    -- What people should look at; empty: nothing.
    problem      text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    closed_at    timestamptz,
    -- When the sweep asks the provider next; null: never again.
    next_look_at timestamptz,
    -- When the conversation was told that it is paid.
    told_at      timestamptz,
    CHECK ((status IN ('paid', 'refunded')) = (proof IS NOT NULL)),
    CHECK ((proof IS NULL) = (paid_at IS NULL)),
    CHECK ((status = 'refunded') = (refunded_at IS NOT NULL)),
    CHECK ((attempt = 0) = (order_id IS NULL))
);
-- A provider's order belongs to one payment, and money pays for one.
CREATE UNIQUE INDEX payments_order ON payments (provider, order_id) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX payments_proof ON payments (provider, proof) WHERE proof IS NOT NULL;
CREATE INDEX payments_newest ON payments (created_at DESC, id DESC);
CREATE INDEX payments_of_contact ON payments (contact_id, created_at DESC, id DESC)
    WHERE contact_id IS NOT NULL;
CREATE INDEX payments_of_call ON payments (call_sid) WHERE call_sid IS NOT NULL;
CREATE INDEX payments_to_look_at ON payments (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX payments_untold ON payments (paid_at) WHERE paid_at IS NOT NULL AND told_at IS NULL;

CREATE TRIGGER hang_on_survivor BEFORE INSERT OR UPDATE OF contact_id ON payments
    FOR EACH ROW EXECUTE FUNCTION hang_on_survivor();

CREATE TABLE payment_events (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments (id) ON DELETE CASCADE,
    at         timestamptz NOT NULL DEFAULT now(),
    -- What happened: a change of the status, or something that changed none.
    change     text NOT NULL,
    -- The status from then on.
    status     text NOT NULL,
    -- The provider's id of it, e.g. of a capture.
    reference  text NOT NULL DEFAULT '',
    detail     text NOT NULL DEFAULT ''
);
CREATE INDEX payment_events_of_payment ON payment_events (payment_id, seq);
-- Settled once, refunded once; and what a provider tells again is not noted again.
CREATE UNIQUE INDEX payment_events_once ON payment_events (payment_id, change)
    WHERE change IN ('created', 'paid', 'refunded');
CREATE UNIQUE INDEX payment_events_of_reference ON payment_events (payment_id, change, reference)
    WHERE reference <> '';

-- Whatever the code does: nothing leads back from money that was taken, and what it was taken for
-- stays what it was.
CREATE FUNCTION payments_go_forward() RETURNS trigger
LANGUAGE plpgsql AS
$$
BEGIN
    IF (OLD.status = 'paid' AND NEW.status NOT IN ('paid', 'refunded'))
       OR (OLD.status = 'refunded' AND NEW.status <> 'refunded')
       OR (OLD.proof IS NOT NULL AND NEW.proof IS DISTINCT FROM OLD.proof)
       OR (NEW.provider, NEW.amount_minor, NEW.currency)
          IS DISTINCT FROM (OLD.provider, OLD.amount_minor, OLD.currency)
    THEN
        RAISE check_violation USING MESSAGE = 'a payment only goes forward';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER payments_go_forward BEFORE UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION payments_go_forward();
