# SIPp's message log -> one line for each final answer to an INVITE: who called whom, what the switch said.
# A message there is: a rule of dashes with the date, "UDP message received ...", an empty line, the message.
/^-----/                       { received = 0; status = "" }
/ message received /           { received = 1 }
received && /^SIP\/2\.0 [2-6]/ { sub(/\r$/, ""); status = substr($0, 9) }
/^From:/                       { account = user() }
/^To:/                         { number = user() }
/^CSeq:/ {
    if (status != "" && /INVITE/) print account " -> " number ": " status
    status = ""
}

function user() {
    return match($0, /sip:[^@>]*/) ? substr($0, RSTART + 4, RLENGTH - 4) : "?"
}
