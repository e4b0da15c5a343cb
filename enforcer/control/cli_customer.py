"""`enforcer customer`: what is known of a customer besides its accounts, and where notices to it go.

In: options. Out: the register in the ledger. An address may hold a password: none is ever shown.
Refuses to know: what is sent there.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from enforcer.control.cli_terminal import CONFIG, Config, Json, OneLine, complain, emit, say, table
from enforcer.control.site import Site
from enforcer.domain.account import Account, Customer
from enforcer.errors import BadInput
from enforcer.ledger.port import Ledger
from enforcer.notices.carrier import shown, usable
from enforcer.settings_notices import plain_mail
from enforcer.toml_models import meant

app = typer.Typer(
    cls=OneLine, help="Customers, and where notices to them go.", no_args_is_help=True, rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(metavar="CUSTOMER")]


@app.command("list")
def list_customers(config: Config = CONFIG, as_json: Json = False) -> None:
    """List the customers: those that accounts belong to, and those of whom more is known."""
    with Site(config).ledger() as ledger:
        accounts: dict[str, list[Account]] = {}
        for account in ledger.accounts():
            accounts.setdefault(account.customer, []).append(account)
        known = {customer.id: customer for customer in ledger.customers()}
    some = [known.get(name) or Customer(name) for name in sorted({*accounts, *known})]
    if as_json:
        emit([customer_facts(customer, accounts.get(customer.id, [])) for customer in some])
        return
    table(
        ("customer", "name", "accounts", "notices go to"),
        ((c.id, c.name or "-", len(accounts.get(c.id, [])), ", ".join(map(shown, c.contacts)) or "-")
         for c in some),
    )


@app.command("show")
def show(customer: Id, config: Config = CONFIG, as_json: Json = False) -> None:
    """Show one customer."""
    with Site(config).ledger() as ledger:
        accounts = ledger.accounts(customer)
        found = _known(ledger, customer)
        if found is None and not accounts:
            names = [one.customer for one in ledger.accounts()]
            raise BadInput("", f"no such customer: {customer!r}{meant(customer, names)}")
    facts = customer_facts(found or Customer(customer), accounts)
    if as_json:
        emit(facts)
        return
    for name, value in facts.items():
        told = ", ".join(value) if isinstance(value, list) else value
        say(f"{name:10} {told or '-'}")


@app.command("set")
def change(
    customer: Id,
    name: Annotated[str | None, typer.Option("--name", help="As notices address them.")] = None,
    contact: Annotated[list[str] | None, typer.Option(
        "--contact", metavar="ADDRESS", help="Where notices go: an e-mail address, or a URL as Apprise "
        "writes it. May be given several times; these replace what was there.",
    )] = None,
    contacts_from: Annotated[str, typer.Option(
        "--contacts-from", metavar="FILE", help="The same, one a line, from a file or - : a password in a "
        "URL is then in nobody's list of commands.",
    )] = "",
    no_contacts: Annotated[bool, typer.Option("--no-contacts", help="Forget all addresses.")] = False,
    config: Config = CONFIG,
) -> None:
    """Enter or change a customer; what is not named stays."""
    new = [*(contact or ()), *(_lines(contacts_from) if contacts_from else ())]
    if name is None and not new and not no_contacts:
        raise BadInput("customer set", "nothing to change: name at least one option")
    if new and no_contacts:
        raise BadInput("--no-contacts", "cannot go with addresses")
    for number, address in enumerate(new, 1):
        problem = "it has characters that cannot be printed" if not address.isprintable() else usable(address)
        if problem:
            raise BadInput("customer set", f"address {number} of {len(new)}: {problem}")
    site = Site(config)
    with site.ledger() as ledger:
        before = _known(ledger, customer) or Customer(customer)
        if not ledger.accounts(customer):
            complain(f"warning: no account belongs to customer {customer!r} yet")
        contacts = tuple(dict.fromkeys(new)) if new or no_contacts else before.contacts
        named = before.name if name is None else " ".join(name.split())
        ledger.put_customers([Customer(customer, named, contacts)])
    if any(map(plain_mail, contacts)) and not site.settings.notices.mail:
        complain("warning: no mail server is configured for e-mail addresses: set `mail` under [notices]")
    say(f"customer {customer}: notices go to {', '.join(map(shown, contacts)) or 'nobody'}")


def customer_facts(customer: Customer, accounts: list[Account]) -> dict[str, Any]:
    """A customer, without anything secret."""
    return {
        "customer": customer.id, "name": customer.name, "accounts": [account.id for account in accounts],
        "contacts": [shown(contact) for contact in customer.contacts],
    }


def _known(ledger: Ledger, customer: str) -> Customer | None:
    return next((one for one in ledger.customers() if one.id == customer), None)


def _lines(name: str) -> list[str]:
    """The lines of a file, or of standard input. Raises BadInput."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BadInput(name, str(reason)) from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
