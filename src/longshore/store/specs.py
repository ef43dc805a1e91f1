"""Rows of `job_specs`: what was submitted. Written once, never changed (but for tags), and so kept decoded."""

from collections.abc import Collection, Mapping, Sequence
from threading import Lock

from msgspec.json import Decoder
from sqlalchemy import Dialect, bindparam, select, update

from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import JobKey
from longshore.domain.job import JobSpec
from longshore.store.codec import decode_texts, encode_document, encode_list, encode_texts
from longshore.store.statements import Cursor, InList, Row, Session, Statement, assigned
from longshore.store.tables import job_specs

#: Form of the documents that we write. A version that changes the form adds a step to `decode_spec`.
SPEC_VERSION = 1

#: So many specs are read by one statement.
_CHUNK = 1000

_s = job_specs.c
_LOAD = Statement(select(_s.key, _s.version, _s.body).where(InList(_s.key, "keys")), "keys")
_TAGS = Statement(select(_s.key, _s.tags).where(InList(_s.key, "keys")), "keys")
_SAVE_TAGS = Statement(
    update(job_specs).values(assigned(["tags"])).where(_s.key == bindparam("of_key")), "new_tags", "of_key"
)

_decoder = Decoder(JobSpec)
_NO_TAGS = encode_texts({})


def decode_spec(version: int, body: str) -> JobSpec:
    """The spec as any version up to ours wrote it."""
    if version != SPEC_VERSION:
        raise StoreUnavailable(f"a job is stored in form {version}; this version reads form {SPEC_VERSION}")
    return _decoder.decode(body)


class SpecCache:
    """Decoded specs by key, committed ones only: a key that was rolled back goes to another job."""

    def __init__(self, limit: int = 2048) -> None:
        self._limit = limit
        self._specs: dict[JobKey, JobSpec] = {}
        self._lock = Lock()

    def get(self, key: JobKey) -> JobSpec | None:
        """The spec, if it is here."""
        return self._specs.get(key)

    def add(self, specs: Mapping[JobKey, JobSpec]) -> None:
        """Keep these; of too many, those that came first go."""
        with self._lock:
            self._specs.update(specs)
            excess = len(self._specs) - self._limit
            if excess > 0:
                for key in list(self._specs)[: excess + self._limit // 8]:
                    del self._specs[key]


class SpecRows(Session):
    """Specs by the key of the submitted job."""

    def __init__(self, cursor: Cursor, dialect: Dialect, cache: SpecCache) -> None:
        super().__init__(cursor, dialect)
        self._cache = cache
        #: read or written here; the owner of the transaction adds them to the cache when it is committed
        self.seen_specs: dict[JobKey, JobSpec] = {}

    def load_specs(self, keys: Collection[JobKey]) -> Mapping[JobKey, JobSpec]:
        """Specs of these submitted jobs, which exist."""
        found: dict[JobKey, JobSpec] = {}
        missing: list[JobKey] = []
        for key in keys:
            spec = self._cache.get(key) or self.seen_specs.get(key)
            if spec is None:
                missing.append(key)
            else:
                found[key] = spec
        if missing:
            read = {JobKey(key): decode_spec(*form) for key, *form in self.rows(_LOAD, encode_list(missing))}
            self.seen_specs |= read
            found |= read
        return found

    def read_specs(self, keys: Sequence[JobKey]) -> list[JobSpec]:
        """Specs of many submitted jobs, whose keys ascend, in this order; past the cache, which they would flood."""
        specs: list[JobSpec] = []
        for start in range(0, len(keys), _CHUNK):
            rows = self.rows(_LOAD, encode_list(keys[start : start + _CHUNK]))
            specs += (decode_spec(version, body) for _, version, body in sorted(rows))
        return specs

    def load_spec(self, key: JobKey) -> JobSpec:
        """The spec of this submitted job, which exists."""
        return self.load_specs((key,))[key]

    def note_spec(self, spec: JobSpec, tags: Mapping[str, str]) -> Row:
        """Its row: key, version, body and tags, to be inserted by the caller."""
        self.seen_specs[spec.key] = spec  # the leader asks for it next
        return spec.key, SPEC_VERSION, encode_document(spec), encode_texts(tags) if tags else _NO_TAGS

    def tags_of(self, keys: Collection[JobKey]) -> Mapping[JobKey, Mapping[str, str]]:
        """Tags of these submitted jobs."""
        return {JobKey(key): decode_texts(tags) for key, tags in self.rows(_TAGS, encode_list(keys))}

    def put_job_tags(self, key: JobKey, tags: Mapping[str, str]) -> None:
        self.run(_SAVE_TAGS, encode_texts(tags), key)
