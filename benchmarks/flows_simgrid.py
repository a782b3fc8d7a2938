"""Run one set of flows in SimGrid; executed by the system's Python, which has its bindings.

Reads a JSON document {capacity, latency, routes, size, start} on standard input and prints
{cpu_s, completion_s}: the CPU time of the simulation alone, without building the platform.
The model is SimGrid's CM02 without its TCP corrections, which is max-min fairness.
"""

import json
import sys
import time

from simgrid import Actor, Comm, Engine, LinkInRoute, NetZone, this_actor

CONFIG = (
    "network/model:CM02",
    "network/bandwidth-factor:1.0",
    "network/latency-factor:1.0",
    "network/weight-S:0",
    "network/TCP-gamma:0",
    "network/crosstraffic:off",
)


def build(case):
    """Hosts of every flow's ends and one explicit route for each pair in use."""
    zone = NetZone.create_full_zone("fabric")
    links = []
    for index, (rate, latency) in enumerate(zip(case["capacity"], case["latency"], strict=True)):
        link = zone.create_link(f"l{index}", rate)
        link.set_latency(latency)
        links.append(link.seal())
    hosts, known, ends = {}, set(), []

    def host(name):
        if name not in hosts:
            hosts[name] = zone.create_host(name, 1e9).seal()
        return hosts[name]

    for route in case["routes"]:
        ends.append((host(f"from{route[0]}"), host(f"to{route[-1]}"), route))
    for source, target, route in ends:
        if (route[0], route[-1]) not in known:
            known.add((route[0], route[-1]))
            path = [LinkInRoute(links[i]) for i in route]
            zone.add_route(source.netpoint, target.netpoint, None, None, path, False)
    zone.seal()
    return [(source, target) for source, target, _ in ends]


def drive(ends, size, start, finished):
    """Start every flow at its time, then wait for all of them."""
    comms = []
    for flow in sorted(range(len(ends)), key=start.__getitem__):
        if start[flow] > Engine.clock:
            this_actor.sleep_until(start[flow])
        source, target = ends[flow]
        comms.append((flow, Comm.sendto_async(source, target, int(size[flow]))))
    for flow, comm in comms:
        comm.wait()
        finished[flow] = comm.finish_time


def main():
    """Simulate the case on standard input."""
    case = json.load(sys.stdin)
    engine = Engine(["flows", *(f"--cfg={item}" for item in CONFIG), "--log=root.thres:error"])
    ends = build(case)
    finished = [0.0] * len(ends)
    host = ends[0][0]
    Actor.create("driver", host, drive, ends, case["size"], case["start"], finished)
    begin = time.process_time()
    engine.run()
    spent = time.process_time() - begin
    print(json.dumps({"cpu_s": spent, "completion_s": finished}))


if __name__ == "__main__":
    main()
