"""The site that a scenario is played at, once for each switch: who may call whom, and where our hook stands.

In: nothing but ports. Out: configuration of Asterisk and of FreeSWITCH that mean the same. Numbers: 1202555
01NN are calls to acme, 02NN to globex, 1NNN ... 9NNN to a1 ... a9; 7NNN is an internal call, which rings a
second at the most; anything else leaves by the carrier.
"""

from __future__ import annotations

from pathlib import Path

HOOK = Path(__file__).parents[2] / "dialplan" / "freeswitch"
OUTSIDER = "12025550177"
"""A caller from outside; Asterisk's lab has a trunk endpoint of that name."""


def asterisk_files(phones_port: int) -> dict[str, str]:
    """Configuration beside that of the lab (`docker/asterisk`), whose contexts these lines add to."""
    phones = f"sip:${{EXTEN}}@127.0.0.1:{phones_port}"
    to_account = "\n".join(
        f"exten => {pattern},1,Set(CHANNEL(accountcode)={account})\n"
        " same => n,Gosub(enforcer,s,1(${CHANNEL(accountcode)},inbound,${EXTEN}))\n"
        f" same => n,Dial(PJSIP/${{CHANNEL(accountcode)}}/{phones},60)\n"
        " same => n,Hangup(${HANGUPCAUSE})"
        for pattern, account in (
            ("_120255501[4-9]X", "acme"), ("_12025550[2]XX", "globex"), ("_1202555[1-9]XXX", "a${EXTEN:7:1}"),
        )
    )
    text = f"""[from-trunk](+)
{to_account}
[accounts-out](+)
exten => _7XXX,1,Gosub(enforcer,s,1(${{CHANNEL(accountcode)}},internal,${{EXTEN}}))
 same => n,Dial(PJSIP/${{CHANNEL(accountcode)}}/{phones},1)
 same => n,Hangup(19)
"""
    return {"extensions_local.conf": text}


ACCOUNTS = """  <extension name="inside">
    <condition field="destination_number" expression="^(7[0-9]{3})$">
      <action application="multiset" data="^^|enforcer_direction=internal|enforcer_number=$1|enforcer_again=${destination_number} XML ${context}"/>
      <action application="execute_extension" data="enforcer XML enforcer"/>
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="set" data="call_timeout=1"/>
      <action application="bridge" data="user/${accountcode}@trial.lab"/>
      <action application="respond" data="480 Temporarily Unavailable"/>
    </condition>
  </extension>
  <extension name="out">
    <condition field="destination_number" expression="^([0-9+*#]{1,64})$">
      <action application="multiset" data="^^|enforcer_direction=outbound|enforcer_number=$1|enforcer_again=${destination_number} XML ${context}"/>
      <action application="execute_extension" data="enforcer XML enforcer"/>
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="bridge" data="sofia/gateway/carrier/$1"/>
    </condition>
  </extension>
"""  # noqa: E501
"""Extensions of FreeSWITCH's context from-accounts, behind those for emergency numbers."""

_TO_ACCOUNT = """  <extension name="to-{name}">
    <condition field="destination_number" expression="^({number})$">
      <action application="multiset" data="^^|enforcer_direction=inbound|enforcer_number=$1|enforcer_account={account}|accountcode={account}|enforcer_again=${{destination_number}} XML ${{context}}"/>
      <action application="execute_extension" data="enforcer XML enforcer"/>
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="bridge" data="user/{account}@trial.lab"/>
    </condition>
  </extension>
"""  # noqa: E501
TRUNK = "".join(
    _TO_ACCOUNT.format(name=name, number=number, account=account)
    for name, number, account in (
        ("acme", "120255501[4-9][0-9]", "acme"), ("globex", "120255502[0-9]{2}", "globex"),
        ("a", "1202555([1-9])[0-9]{3}", "a$2"),
    )
)
"""Extensions of its context from-trunk."""


def freeswitch_contexts() -> str:
    """Both contexts, whole, with emergency numbers first."""
    emergency = (HOOK / "emergency.xml").read_text()
    return (
        f'<include><context name="from-accounts">{emergency}{ACCOUNTS}</context>'
        f'<context name="from-trunk">{TRUNK}</context></include>'
    )
