"""Where a simulated server can die: before and after every commit and every act, and in the midst of acts."""

#: `api` is a commit of a caller's wish, `turn` one of the leader's, `lead` its claim. At a `middle` half of a batch is
#: done. `before` and `after` stand around the effect; what follows an `after` is that the caller learns of it.
POINTS = (
    *("api.before", "api.after", "turn.before", "turn.after", "lead.before", "lead.after", "rebuild.after"),
    *("launch.before", "launch.middle", "launch.after"),
    *("stop.before", "stop.middle", "stop.after"),
    *("release.before", "release.middle", "release.after"),
    *("observe.before", "observe.after", "discover.before", "discover.after", "watch.after", "fingerprint.after"),
    *("attach.before", "seal.before", "seal.after", "append.before", "append.after", "read_logs.before"),
)
