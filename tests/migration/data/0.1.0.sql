BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE array_summaries (
	parent_key INTEGER NOT NULL, 
	submitted INTEGER NOT NULL, 
	pending INTEGER NOT NULL, 
	runnable INTEGER NOT NULL, 
	starting INTEGER NOT NULL, 
	running INTEGER NOT NULL, 
	succeeded INTEGER NOT NULL, 
	failed INTEGER NOT NULL, 
	updated_at BIGINT NOT NULL, 
	CONSTRAINT pk_array_summaries PRIMARY KEY (parent_key), 
	CONSTRAINT ck_array_summaries_failed CHECK (failed >= 0), 
	CONSTRAINT ck_array_summaries_pending CHECK (pending >= 0), 
	CONSTRAINT ck_array_summaries_runnable CHECK (runnable >= 0), 
	CONSTRAINT ck_array_summaries_running CHECK (running >= 0), 
	CONSTRAINT ck_array_summaries_starting CHECK (starting >= 0), 
	CONSTRAINT ck_array_summaries_submitted CHECK (submitted >= 0), 
	CONSTRAINT ck_array_summaries_succeeded CHECK (succeeded >= 0)
);
INSERT INTO "array_summaries" VALUES(5,0,3,0,0,0,0,0,1767268801000);
CREATE TABLE attempts (
	job_key INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	attempt_id TEXT NOT NULL, 
	environment_name TEXT NOT NULL, 
	host_id TEXT NOT NULL, 
	vcpu_milli BIGINT NOT NULL, 
	memory_mib BIGINT NOT NULL, 
	gpus INTEGER NOT NULL, 
	gpu_names TEXT, 
	intent TEXT, 
	handle TEXT NOT NULL, 
	opened_at BIGINT NOT NULL, 
	started_at BIGINT, 
	started_boot_id TEXT NOT NULL, 
	started_boot_seconds FLOAT, 
	stopped_at BIGINT, 
	exit_code INTEGER, 
	reason TEXT NOT NULL, 
	status_reason TEXT NOT NULL, 
	cpu_seconds FLOAT, 
	peak_memory_bytes BIGINT, 
	stop_cause TEXT, 
	CONSTRAINT pk_attempts PRIMARY KEY (job_key, number), 
	CONSTRAINT ck_attempts_intent CHECK (intent IS NULL OR intent = 'launch' OR intent = 'release' OR intent = 'stop'), 
	CONSTRAINT ck_attempts_stop_cause CHECK (stop_cause IS NULL OR stop_cause = 'terminated' OR stop_cause = 'timed-out'), 
	CONSTRAINT ck_attempts_number CHECK (number > 0), 
	CONSTRAINT ck_attempts_resources CHECK (vcpu_milli >= 0 AND memory_mib >= 0 AND gpus >= 0)
)
 WITHOUT ROWID

;
INSERT INTO "attempts" VALUES(2,1,'00000000000000000000000000000000','environment','local',1000,128,0,'["GPU-a"]',NULL,'{"v":1,"pid":7}',1767268800000,1767268801000,'b',12.5,NULL,NULL,'','',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(3,1,'00000000000000000000000000000001','environment','local',1000,128,0,NULL,NULL,'',1767268800000,1767268801000,'',NULL,1767268802000,0,'','',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES(4,1,'00000000000000000000000000000002','environment','local',1000,128,0,NULL,NULL,'',1767268800000,1767268801000,'',NULL,1767268802000,3,'out of luck','Essential container in task exited',0.5,4096,NULL);
CREATE TABLE class_reasons (
	class_id TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_class_reasons PRIMARY KEY (class_id)
)
 WITHOUT ROWID

;
INSERT INTO "class_reasons" VALUES('c','waits');
CREATE TABLE compute_environments (
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_compute_environments PRIMARY KEY (account_id, region, name)
)
 WITHOUT ROWID

;
INSERT INTO "compute_environments" VALUES('000000000000','us-east-1','environment',1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"name":"environment","uuid":"8376bb68-fbd3-44e6-a252-48331d3c4585","type":"MANAGED","state":"ENABLED","status":"VALID","status_reason":"","engine":"process","resource_type":"EC2","max_vcpus":4,"tags":{"longshore:engine":"process"},"created_at":"2026-01-01T12:00:00Z"}');
CREATE TABLE counters (
	name TEXT NOT NULL, 
	value INTEGER NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('job_key',8);
INSERT INTO "counters" VALUES('intake',8);
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_key INTEGER NOT NULL, 
	of_children INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	status_from TEXT, 
	status_to TEXT NOT NULL, 
	cause TEXT NOT NULL, 
	detail TEXT NOT NULL
);
INSERT INTO "events" VALUES(1,4,0,1767268801000,'RUNNABLE','STARTING','PlacementCommitted','');
INSERT INTO "events" VALUES(2,4,0,1767268802000,'RUNNING','FAILED','TaskExited','exit code 3');
INSERT INTO "events" VALUES(3,5,1,1767268801000,'SUBMITTED','PENDING','TakenIn','');
CREATE TABLE job_definitions (
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	name TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_job_definitions PRIMARY KEY (account_id, region, name, revision), 
	CONSTRAINT ck_job_definitions_status CHECK (status IN ('ACTIVE', 'INACTIVE')), 
	CONSTRAINT ck_job_definitions_revision CHECK (revision > 0)
)
 WITHOUT ROWID

;
INSERT INTO "job_definitions" VALUES('000000000000','us-east-1','definition',1,'ACTIVE',1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"name":"definition","revision":1,"type":"container","status":"ACTIVE","container":{"image":"busybox","command":["true"]},"registered_at":"2026-01-01T12:00:00Z"}');
CREATE TABLE job_dependencies (
	job_key INTEGER NOT NULL, 
	on_key INTEGER NOT NULL, 
	type TEXT NOT NULL, 
	CONSTRAINT pk_job_dependencies PRIMARY KEY (job_key, on_key, type), 
	CONSTRAINT ck_job_dependencies_type CHECK (type = '' OR type = 'N_TO_N' OR type = 'SEQUENTIAL')
)
 WITHOUT ROWID

;
INSERT INTO "job_dependencies" VALUES(5,1,'');
CREATE TABLE job_queues (
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	name TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	CONSTRAINT pk_job_queues PRIMARY KEY (account_id, region, name)
)
 WITHOUT ROWID

;
INSERT INTO "job_queues" VALUES('000000000000','us-east-1','queue',1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"name":"queue","state":"ENABLED","status":"VALID","status_reason":"","priority":1,"environments":[{"order":1,"environment_name":"environment"}],"queue_type":"ECS","created_at":"2026-01-01T12:00:00Z"}');
CREATE TABLE job_specs (
	"key" INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	CONSTRAINT pk_job_specs PRIMARY KEY ("key")
);
INSERT INTO "job_specs" VALUES(1,1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"key":1,"uuid":"00000000-0000-4000-8000-000000000000","name":"waiting","queue_name":"queue","definition":"definition:1","container":{"image":"busybox","command":["true"]},"resources":{"vcpu_milli":1000,"memory_mib":128,"gpus":0},"retry":{"attempts":1},"propagate_tags":false,"scheduling_priority":0}','{}');
INSERT INTO "job_specs" VALUES(2,1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"key":2,"uuid":"00000001-0000-4000-8000-000000000000","name":"running","queue_name":"queue","definition":"definition:1","container":{"image":"busybox","command":["true"]},"resources":{"vcpu_milli":1000,"memory_mib":128,"gpus":0},"retry":{"attempts":1},"propagate_tags":false,"scheduling_priority":0}','{}');
INSERT INTO "job_specs" VALUES(3,1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"key":3,"uuid":"00000002-0000-4000-8000-000000000000","name":"good","queue_name":"queue","definition":"definition:1","container":{"image":"busybox","command":["true"]},"resources":{"vcpu_milli":1000,"memory_mib":128,"gpus":0},"retry":{"attempts":1},"propagate_tags":false,"scheduling_priority":0}','{}');
INSERT INTO "job_specs" VALUES(4,1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"key":4,"uuid":"00000003-0000-4000-8000-000000000000","name":"bad","queue_name":"queue","definition":"definition:1","container":{"image":"busybox","command":["true"]},"resources":{"vcpu_milli":1000,"memory_mib":128,"gpus":0},"retry":{"attempts":1},"propagate_tags":false,"scheduling_priority":0}','{}');
INSERT INTO "job_specs" VALUES(5,1,'{"scope":{"account_id":"000000000000","region":"us-east-1"},"key":5,"uuid":"000000aa-0000-4000-8000-000000000000","name":"array","queue_name":"queue","definition":"definition:1","container":{"image":"busybox","command":["true"]},"resources":{"vcpu_milli":1000,"memory_mib":128,"gpus":0},"retry":{"attempts":1},"array_size":3,"propagate_tags":false,"scheduling_priority":0}','{"a":"1"}');
CREATE TABLE jobs (
	"key" INTEGER NOT NULL, 
	parent_key INTEGER, 
	array_index INTEGER, 
	status TEXT NOT NULL, 
	status_reason TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	started_at BIGINT, 
	stopped_at BIGINT, 
	intake BIGINT, 
	attempts_made INTEGER NOT NULL, 
	lost_hosts INTEGER NOT NULL, 
	wish_kind TEXT, 
	wish_reason TEXT, 
	exit_code INTEGER, 
	reason TEXT NOT NULL, 
	request_kind TEXT, 
	request_reason TEXT, 
	array_size INTEGER, 
	uuid TEXT, 
	queue_id INTEGER, 
	name_folded TEXT, 
	definition_name TEXT, 
	definition_revision INTEGER, 
	share_identifier TEXT, 
	CONSTRAINT pk_jobs PRIMARY KEY ("key"), 
	CONSTRAINT ck_jobs_final_stopped_at CHECK ((status = 'FAILED' OR status = 'SUCCEEDED') = (stopped_at IS NOT NULL)), 
	CONSTRAINT ck_jobs_request_kind CHECK (request_kind IS NULL OR request_kind = 'cancel' OR request_kind = 'terminate'), 
	CONSTRAINT ck_jobs_status CHECK (status = 'FAILED' OR status = 'PENDING' OR status = 'RUNNABLE' OR status = 'RUNNING' OR status = 'STARTING' OR status = 'SUBMITTED' OR status = 'SUCCEEDED'), 
	CONSTRAINT ck_jobs_wish_kind CHECK (wish_kind IS NULL OR wish_kind = 'cancel' OR wish_kind = 'terminate'), 
	CONSTRAINT ck_jobs_child_index CHECK ((parent_key IS NULL) = (array_index IS NULL)), 
	CONSTRAINT ck_jobs_submitted_queue CHECK ((parent_key IS NULL) = (queue_id IS NOT NULL)), 
	CONSTRAINT ck_jobs_submitted_uuid CHECK ((parent_key IS NULL) = (uuid IS NOT NULL)), 
	CONSTRAINT ck_jobs_array_size CHECK (array_size IS NULL OR (array_size > 0 AND parent_key IS NULL)), 
	CONSTRAINT ck_jobs_submitted_share CHECK (share_identifier IS NULL OR parent_key IS NULL), 
	CONSTRAINT ck_jobs_attempts_made CHECK (lost_hosts >= 0 AND attempts_made >= lost_hosts), 
	CONSTRAINT ck_jobs_child_key CHECK (parent_key IS NULL OR (array_index >= 0 AND key = parent_key + 1 + array_index))
);
INSERT INTO "jobs" VALUES(1,NULL,NULL,'RUNNABLE','',1767268800000,NULL,NULL,1,0,0,NULL,NULL,NULL,'','cancel','x',NULL,'00000000-0000-4000-8000-000000000000',1,'waiting','definition',1,NULL);
INSERT INTO "jobs" VALUES(2,NULL,NULL,'RUNNING','',1767268800000,1767268801000,NULL,2,1,0,NULL,NULL,NULL,'',NULL,NULL,NULL,'00000001-0000-4000-8000-000000000000',1,'running','definition',1,NULL);
INSERT INTO "jobs" VALUES(3,NULL,NULL,'SUCCEEDED','',1767268800000,1767268801000,1767268802000,3,1,0,NULL,NULL,0,'',NULL,NULL,NULL,'00000002-0000-4000-8000-000000000000',1,'good','definition',1,NULL);
INSERT INTO "jobs" VALUES(4,NULL,NULL,'FAILED','Essential container in task exited',1767268800000,1767268801000,1767268802000,4,1,0,NULL,NULL,3,'out of luck',NULL,NULL,NULL,'00000003-0000-4000-8000-000000000000',1,'bad','definition',1,NULL);
INSERT INTO "jobs" VALUES(5,NULL,NULL,'PENDING','',1767268800000,NULL,NULL,5,0,0,NULL,NULL,NULL,'',NULL,NULL,3,'000000aa-0000-4000-8000-000000000000',1,'array','definition',1,NULL);
INSERT INTO "jobs" VALUES(6,5,0,'PENDING','',1767268800000,NULL,NULL,6,0,0,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(7,5,1,'PENDING','',1767268800000,NULL,NULL,7,0,0,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(8,5,2,'PENDING','',1767268800000,NULL,NULL,8,0,0,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE leadership (
	epoch INTEGER NOT NULL
);
INSERT INTO "leadership" VALUES(1);
CREATE TABLE meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('installation_id','b6f10c527ea741e4986c72cadc043d40');
INSERT INTO "meta" VALUES('written_by','0.1.0');
CREATE TABLE queue_names (
	id INTEGER NOT NULL, 
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	name TEXT NOT NULL, 
	CONSTRAINT pk_queue_names PRIMARY KEY (id)
);
INSERT INTO "queue_names" VALUES(1,'000000000000','us-east-1','queue');
CREATE INDEX ix_attempts_open ON attempts (job_key) WHERE stopped_at IS NULL OR intent IS NOT NULL;
CREATE INDEX ix_events_job ON events (job_key);
CREATE INDEX ix_job_dependencies_on ON job_dependencies (on_key);
CREATE INDEX ix_jobs_ended ON jobs (stopped_at) WHERE parent_key IS NULL AND stopped_at IS NOT NULL;
CREATE INDEX ix_jobs_intake ON jobs ("key") WHERE parent_key IS NULL AND stopped_at IS NULL AND intake IS NULL;
CREATE INDEX ix_jobs_live ON jobs (queue_id, status, created_at, array_size, intake, parent_key, stopped_at) WHERE parent_key IS NULL AND stopped_at IS NULL;
CREATE INDEX ix_jobs_queue ON jobs (queue_id, "key", created_at) WHERE queue_id IS NOT NULL;
CREATE INDEX ix_jobs_queue_created ON jobs (queue_id, created_at, "key") WHERE queue_id IS NOT NULL;
CREATE INDEX ix_jobs_queue_definition ON jobs (queue_id, definition_name, definition_revision, "key") WHERE queue_id IS NOT NULL;
CREATE INDEX ix_jobs_queue_name ON jobs (queue_id, name_folded, "key") WHERE queue_id IS NOT NULL;
CREATE INDEX ix_jobs_queue_share ON jobs (queue_id, share_identifier, "key") WHERE share_identifier IS NOT NULL;
CREATE INDEX ix_jobs_queue_status ON jobs (queue_id, status, "key") WHERE queue_id IS NOT NULL;
CREATE INDEX ix_jobs_request ON jobs ("key") WHERE request_kind IS NOT NULL;
CREATE UNIQUE INDEX ix_jobs_uuid ON jobs (uuid) WHERE parent_key IS NULL;
CREATE UNIQUE INDEX ix_queue_names ON queue_names (account_id, region, name);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',3);
COMMIT;
