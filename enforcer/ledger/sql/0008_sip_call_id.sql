-- Whoever has but a SIP trace finds the decision by the Call-ID that it shows. It is sealed as part of `body`.
ALTER TABLE decision ADD COLUMN sip_call_id TEXT NOT NULL DEFAULT '';
CREATE INDEX decision_sip_call_id ON decision (sip_call_id, at) WHERE sip_call_id <> '';
