"""`longshore simulate`."""

import os
from pathlib import Path

import click

from longshore.cli.errors import Failure
from longshore.cli.output import Form, choose_output, with_output


@click.command()
@click.argument("trace")
@click.option(
    "--hosts",
    multiple=True,
    metavar="COUNTxVCPUS[:MEMORY][:GPUSgpu]",
    help="Hosts of the fleet, as in 1000x64:256GiB or 10x96:1TiB:8gpu; may be repeated.",
)
@click.option(
    "--fleet",
    "fleet_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML or JSON file with a list of hosts, each with count, vcpus, memory and gpus; in place of --hosts.",
)
@click.option("--policy", "names", multiple=True, metavar="POLICY", help="A policy to compare; may be repeated.")
@click.option("--jobs", type=click.IntRange(1), help="Of a file: only its first jobs. Of a model: how many. [10000]")
@click.option("--load", type=click.FloatRange(0, min_open=True), default=0.7, show_default=True, help="Of a model.")
@click.option("--users", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Of a model.")
@click.option("--largest", type=click.IntRange(1), help="Of a model: vCPUs of the largest job. [all of the fleet]")
@click.option("--seed", type=int, default=1, show_default=True, help="Of a model: the same seed, the same jobs.")
@click.option(
    "--interval",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds between two cycles of the scheduler; 0: one whenever something changes, as in the server.",
)
@click.option(
    "--share-decay",
    type=click.IntRange(600, 604_800),
    default=86_400,
    show_default=True,
    help="Seconds for which use counts under fair policies.",
)
@click.option("--processes", type=click.IntRange(1), help="Policies replayed at a time. [the processors there are]")
@click.option(
    "--chart",
    "charts",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the comparison to this .png or .svg file; may be repeated.",
)
@with_output
def simulate(
    trace: str,
    hosts: tuple[str, ...],
    fleet_file: Path | None,
    names: tuple[str, ...],
    jobs: int | None,
    load: float,
    users: int,
    largest: int | None,
    seed: int,
    interval: float,
    share_decay: int,
    processes: int | None,
    charts: tuple[Path, ...],
    form: Form,
) -> None:
    """Replay a workload on virtual time, and compare policies.

    TRACE is a file in the Standard Workload Format (.swf) or of `longshore history` (.jsonl), packed (.gz) or not, or
    the name of a model: lublin-feitelson or poisson-arrays.

    No server is asked and nothing runs: the scheduler that a server has decides over the described fleet, as fast as it
    can. Policies are fifo (a blocked head blocks all), easy and greedy (others may pass it), and fair (shares).
    """
    from longshore.cli.output.progress import progress
    from longshore.simulator.charts import FORMATS, ChartsMissing, draw
    from longshore.simulator.comparison import Setting, compare
    from longshore.simulator.fleet import FleetRefused, parse_hosts, read_fleet
    from longshore.simulator.models import MODELS, Mix
    from longshore.simulator.policies import POLICIES
    from longshore.simulator.report import report_on
    from longshore.simulator.sources import read_trace
    from longshore.simulator.trace import TraceRefused

    if bool(hosts) == bool(fleet_file):
        raise Failure("describe the fleet with --hosts, as in --hosts 1000x64:256GiB, or with --fleet FILE")
    for name in names:
        if name not in POLICIES:
            raise Failure(f"there is no policy {name}; there are {', '.join(POLICIES)}")
    for path in charts:
        if path.suffix not in FORMATS:
            raise Failure(f"{path} ends in neither {' nor '.join(FORMATS)}")
    policies = [POLICIES[name] for name in dict.fromkeys(names or POLICIES)]
    try:
        fleet = read_fleet(fleet_file) if fleet_file else parse_hosts(hosts)
        if trace in MODELS:
            whole = fleet.total.vcpu_milli // 1000
            mix = Mix(jobs=jobs or 10_000, load=load, users=users, largest=min(largest or whole, whole), seed=seed)
            workload = MODELS[trace](mix, fleet)
        else:
            workload = read_trace(Path(trace))
            workload = workload if jobs is None else workload.first(jobs)
    except (FleetRefused, TraceRefused) as problem:
        raise Failure(str(problem)) from problem
    setting = Setting(trace=workload, fleet=fleet, interval_seconds=interval, decay_seconds=share_decay)
    with progress(form, [policy.name for policy in policies], len(workload)) as on_progress:
        replays = compare(setting, policies, processes=processes or os.cpu_count() or 1, on_progress=on_progress)
    choose_output(form).show(report_on(setting, replays))
    for path in charts:
        try:
            draw(setting, replays, path)
        except (ChartsMissing, OSError) as problem:
            raise Failure(f"{path}: {problem}") from problem
