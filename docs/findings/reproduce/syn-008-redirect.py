"""The configured service sends its client on to another address: whether that one is contacted."""

from service import hosted, login
from world import control, judge, main


def scenario(world):
    w = world()
    with hosted() as other, hosted(redirect=other.url) as service:
        run = w.emit("WP01", "claimed", **login(w, service))
        control(run.status == 0 and service.asked, "the command does not contact the service")
        judge(other.asked, f"the configured service had {service.asked}, the other one {other.asked}")


main(scenario)
