"""The administrator's page of people."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from accounts import service as accounts
from accounts.models import Person, Role
from accounts.permissions import Action, require
from api.dependencies import Services, ServicesDep, WorkDep
from infra.database import Silence, Work
from infra.errors import InvalidInput, WrongState
from web import views
from web.pages.shell import PagesDep, SignedInDep, shell

router = APIRouter(prefix="/people")


@router.get("")
async def list_people(request: Request, person: SignedInDep, work: WorkDep, pages: PagesDep) -> Response:
    """Everybody."""
    require(person, Action.ADMINISTER)
    rows = await _rows(work)
    return pages.render(views.PeoplePage(people=rows), await shell(request, work, person, "people"))


async def _rows(work: Work) -> tuple[views.PersonRow, ...]:
    seen = await accounts.last_seen(work)
    return tuple(
        views.PersonRow(
            url=f"/people/{one.id}",
            name=one.name,
            email=one.email,
            role=one.role,
            last_seen_at=seen.get(one.id),
            disabled=one.disabled_at is not None,
        )
        for one in await accounts.list_people(work)
    )


@router.post("")
async def add(
    request: Request,
    person: SignedInDep,
    services: ServicesDep,
    pages: PagesDep,
    name: Annotated[str, Form()],
    email: Annotated[str, Form()],
    role: Annotated[Role, Form()],
) -> Response:
    """Add somebody, and show the link that lets them in."""
    require(person, Action.ADMINISTER)
    status, said = 200, {}
    try:
        async with services.database.work(Silence()) as work:
            added = await accounts.add_person(work, email=email, name=name, role=role)
            said = {"link": await _new_link(work, added, request, services), "link_for": added.name}
    except (InvalidInput, WrongState) as refused:
        status, said = refused.status, {"error": refused.sentence}
    async with services.database.work(Silence()) as work:
        view = views.PeoplePage(people=await _rows(work), **said)
        around = await shell(request, work, person, "people")
    return pages.render(view, around, status=status)


async def _new_link(work: Work, person: Person, request: Request, services: Services) -> str:
    secret = await accounts.make_sign_in_link(work, person=person, minutes=services.settings.sign_in_link_min)
    return f"{services.settings.public_url or str(request.base_url).rstrip('/')}/sign-in/{secret}"


@router.post("/{person_id}/link")
async def link(
    person_id: UUID, request: Request, person: SignedInDep, work: WorkDep, services: ServicesDep, pages: PagesDep
) -> Response:
    """Make a sign-in link for somebody; it is shown this once."""
    require(person, Action.ADMINISTER)
    wanted = await accounts.get_person(work, person_id)
    made = await _new_link(work, wanted, request, services)
    view = views.PeoplePage(people=await _rows(work), link=made, link_for=wanted.name)
    return pages.render(view, await shell(request, work, person, "people"))
