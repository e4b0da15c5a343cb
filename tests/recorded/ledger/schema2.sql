-- A ledger of schema 2 (the first release), as sqlite3's .dump writes it: later versions must go on with it.
BEGIN TRANSACTION;
CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    customer TEXT NOT NULL,
    type TEXT,
    channels BIGINT NOT NULL,
    plan TEXT NOT NULL,
    anchor_day BIGINT NOT NULL,
    timezone TEXT NOT NULL,
    standing TEXT NOT NULL,
    standing_reason TEXT NOT NULL,
    change BIGINT NOT NULL
);
INSERT INTO "account" VALUES('acme','big','pbx',0,'flat',1,'UTC','active','',1);
CREATE TABLE call (
    call_id TEXT NOT NULL PRIMARY KEY,
    switch TEXT NOT NULL,
    account TEXT NOT NULL,
    customer TEXT NOT NULL,
    direction TEXT NOT NULL,
    number TEXT NOT NULL,
    caller TEXT NOT NULL,
    number_class TEXT NOT NULL,
    route TEXT NOT NULL,
    channel TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    started_by BIGINT NOT NULL,
    answered_at DOUBLE PRECISION,
    answered_by BIGINT,
    ended_at DOUBLE PRECISION,
    ended_by BIGINT,
    told_msec BIGINT NOT NULL,
    hangup_cause BIGINT,
    sip_code BIGINT,
    refusal TEXT NOT NULL,
    outcome TEXT NOT NULL,
    billed_msec BIGINT NOT NULL,
    answered_msec BIGINT NOT NULL,
    born BIGINT NOT NULL,
    change BIGINT NOT NULL,
    writer BIGINT NOT NULL
);
INSERT INTO "call" VALUES('pbx1/1','pbx1','acme','big','outbound','12125550100','100','ordinary','','PJSIP/phone-1',1795348800.0,2,1795348802.0,2,1795348812.0,2,0,16,NULL,'','answered',10000,1795348802000,1,1,143813220090493);
INSERT INTO "call" VALUES('pbx1/2','pbx1','acme','big','outbound','12125550100','100','ordinary','','PJSIP/phone-2',1795348801.0,2,NULL,NULL,NULL,NULL,0,NULL,NULL,'blocked','blocked',0,0,2,2,143813220090493);
INSERT INTO "call" VALUES('pbx1/3','pbx1','acme','big','outbound','12125550100','100','ordinary','','PJSIP/phone-3',1795348802.0,2,NULL,NULL,1795348802.0,2,0,16,NULL,'blocked','blocked',0,0,3,3,143813220090493);
INSERT INTO "call" VALUES('pbx1/4','pbx1','acme','big','outbound','12125550100','100','ordinary','','PJSIP/phone-4',1795345200.0,1,1795345202.0,1,1795345263.0,1,61000,16,NULL,'','answered',61000,1795345202000,4,4,143813220090493);
CREATE TABLE call_before (
    change BIGINT NOT NULL PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    call_id TEXT NOT NULL,
    body TEXT NOT NULL,
    writer BIGINT NOT NULL
);
CREATE TABLE charge (
    customer TEXT NOT NULL,
    account TEXT NOT NULL,
    rule TEXT NOT NULL,
    cycle TEXT NOT NULL,
    policy TEXT NOT NULL,
    number BIGINT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    clause TEXT NOT NULL,
    words TEXT NOT NULL,
    reverses BIGINT NOT NULL,
    change BIGINT NOT NULL,
    PRIMARY KEY (customer, account, rule, cycle, policy, number)
);
INSERT INTO "charge" VALUES('big','','asr','2026-10','p@1',1,'0.005','USD',1795348800.0,'ASR','1 x 0.005 per attempt',0,1);
CREATE TABLE decision (
    decision_id TEXT NOT NULL PRIMARY KEY,
    at DOUBLE PRECISION NOT NULL,
    call_id TEXT NOT NULL,
    account TEXT NOT NULL,
    body TEXT NOT NULL
);
INSERT INTO "decision" VALUES('d0-1',1795348801.0,'pbx1/2','acme','{"decision_id":"d0-1","at":1795348801.0,"call_id":"pbx1/2","switch":"pbx1","account":"acme","number":"12125550100","direction":"outbound","verdict":3,"would_be":3,"rule":"attempts","clause":"clause of attempts","policy":"p@1","sip_code":403,"tags":["attempts.critical"],"findings":[{"rule":"attempts","clause":"clause of attempts","level":2,"verdict":3,"capped":3,"mode":"block","metric":"attempts this cycle","value":"2","limit":"1","sip_code":403,"hold":0.0,"shed":false,"max_duration":null}],"usage":[["attempts",[2,1,0,1,10000,0,0]]]}');
INSERT INTO "decision" VALUES('d0-2',1795348802.0,'pbx1/3','acme','{"decision_id":"d0-2","at":1795348802.0,"call_id":"pbx1/3","switch":"pbx1","account":"acme","number":"12125550100","direction":"outbound","verdict":3,"would_be":3,"rule":"attempts","clause":"clause of attempts","policy":"p@1","sip_code":403,"tags":["attempts.critical"],"findings":[{"rule":"attempts","clause":"clause of attempts","level":2,"verdict":3,"capped":3,"mode":"block","metric":"attempts this cycle","value":"2","limit":"1","sip_code":403,"hold":0.0,"shed":false,"max_duration":null}],"usage":[["attempts",[2,1,0,1,10000,1,0]]]}');
CREATE TABLE mark (
    name VARCHAR(20) NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO "mark" VALUES('schema',2);
INSERT INTO "mark" VALUES('call',4);
INSERT INTO "mark" VALUES('account',1);
INSERT INTO "mark" VALUES('mode',1);
INSERT INTO "mark" VALUES('charge',1);
CREATE TABLE mode_setting (
    change BIGINT NOT NULL PRIMARY KEY,
    mode TEXT NOT NULL,
    account TEXT NOT NULL,
    rule TEXT NOT NULL,
    switch TEXT NOT NULL,
    ceiling BOOLEAN NOT NULL,
    who TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    why TEXT NOT NULL,
    until DOUBLE PRECISION,
    writer BIGINT NOT NULL
);
INSERT INTO "mode_setting" VALUES(1,'block','','','',0,'alice',1795348740.0,'first week',NULL,143813220090493);
CREATE INDEX call_usage ON call
    (account, customer, direction, number_class, outcome, started_at, billed_msec, answered_msec);
CREATE INDEX call_account ON call (account, started_at);
CREATE INDEX call_customer ON call (customer, started_at);
CREATE UNIQUE INDEX call_change ON call (change);
CREATE INDEX call_live ON call (switch) WHERE outcome IN ('ringing', 'talking');
CREATE INDEX call_before_call ON call_before (call_id, change);
CREATE INDEX call_before_at ON call_before (at);
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_call ON decision (call_id, at);
CREATE INDEX decision_account ON decision (account, at);
CREATE INDEX charge_cycle ON charge (cycle, change);
CREATE UNIQUE INDEX charge_change ON charge (change);
CREATE UNIQUE INDEX charge_reverses ON charge (customer, account, rule, cycle, policy, reverses)
    WHERE reverses <> 0;
COMMIT;
