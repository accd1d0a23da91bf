"""What codes mean, in English: the sentences that `words` fills in and translates. Data, no code.

Facts in braces are named as in the reason that carries them; `words.shown_fact` says how they are shown.
"""

from types import MappingProxyType


def mark(sentence: str) -> str:
    """Marks a sentence for the catalogues; it is translated when it is said."""
    return sentence


_ADVICE = (
    mark("{field}: {needed} is needed (now {now}), or claim again from {again_from}"),
    mark("{field}: {needed} is needed (now {now})"),
    mark("{field}: {needed} is needed"),
)
"""What would turn a refusal or lift a limit: every code of the voucher rules can carry it."""
_OTHER_ADVICE = {
    "CONTRACT_ALREADY_CLAIMED": (
        mark("claim for another contract: those claimed for are {now}, without this one it would be {needed}"),
    )
}

_PLACEMENT = {
    "FITS": (mark("can take it at {fen_per_chip_hour} yuan per chip-hour"), mark("can take it")),
    "NOT_FORESEEN": (mark("can take it, but more than {looked_at} jobs wait ahead: its start cannot be foreseen"),),
    "CHIP_MISMATCH": (mark("it has {chip}, the job asks for {wanted}"),),
    "NODE_TOO_SMALL": (
        mark(
            "its largest nodes have {chips_per_node} chips and {cpus_per_node} CPUs, "
            "the job needs {wanted_chips_per_node} and {wanted_cpus_per_node}"
        ),
    ),
    "NODE_MEMORY_TOO_SMALL": (mark("its nodes have {memory_gib} GiB of memory, the job needs {wanted_memory_gib}"),),
    "TOO_FEW_NODES": (mark("{fitting_nodes} of its nodes are large enough, the job needs {wanted_nodes}"),),
    "NO_CABINET_FITS": (
        mark(
            "its largest cabinet has {largest_cabinet} nodes that are large enough, the job needs {wanted_nodes} in one"
        ),
    ),
    "WALLTIME_OVER_LIMIT": (mark("it takes jobs of at most {max_walltime_s}, the job asks for {wanted_walltime_s}"),),
    "OTHER_CENTRE_PINNED": (mark("the job is pinned to {wanted}"),),
    "CHECKPOINT_ELSEWHERE": (mark("the job's checkpoint lies at {checkpoint} and cannot travel"),),
    "PRICE_OVER_LIMIT": (mark("it costs {fen_per_hour} yuan an hour, the job's limit is {max_fen_per_hour}"),),
    "COST_OVER_BUDGET": (mark("it can cost {price_fen} yuan, at most {max_cost_fen} may be spent on the job"),),
    "POOL_UNSEEN": (mark("{centre} is unseen: nothing is heard of it at present"),),
    "POOL_DRAINED": (mark("{centre} is drained: it takes no new jobs"),),
    "BOOKING_ELSEWHERE": (mark("booking {booking_id}, in which the job runs, is not here"),),
    "BOOKING_UNKNOWN": (mark("there is no booking {booking_id} at present"),),
    "BOOKING_NOT_OPEN_TO_TENANT": (mark("booking {booking_id} is not open to the job's tenant"),),
    "BOOKING_HAS_NO_ROOM": (mark("what is left of booking {booking_id} has no room for the job"),),
    "OVER_QUOTA": (
        mark(
            "the quota of {chip} at {centre} is used up: {used_chips} of {nominal_chips} chips are used, "
            "{borrowable_chips} could be borrowed, the job needs {wanted_chips}"
        ),
    ),
    "PLACED": (mark("it is placed"),),
    "WAITS_FOR_CHIPS": (
        mark("waits for chips at {pool_id}, expected start {expected_start_s}, jobs ahead: {waiting_ahead}"),
        mark("waits for chips"),
    ),
    "WAITS_BEHIND_OTHERS": (
        mark("waits behind others at {pool_id}, expected start {expected_start_s}, jobs ahead: {waiting_ahead}"),
        mark("waits behind others, jobs ahead: {waiting_ahead}"),
    ),
    "WAITS_FOR_BOOKING": (mark("waits for the start of booking {booking_id}, {booking_start_s}"),),
    "WAITS_BEHIND_BOOKING": (
        mark(
            "waits at {pool_id}, expected start {expected_start_s}: nodes are booked for others "
            "from {booking_start_s} to {booking_end_s}"
        ),
    ),
    "WAITS_FOR_WINDOW": (
        mark(
            "waits at {pool_id}, expected start {expected_start_s}: it would reach into the maintenance "
            "from {window_start_s} to {window_end_s}"
        ),
    ),
    "WAITS_BEHIND_OWNER": (
        mark("waits at {pool_id}, expected start {expected_start_s}: the own tenants of {centre} go first"),
    ),
    "WAITS_FOR_QUOTA": (
        mark(
            "waits for its quota of {chip} at {centre}: {used_chips} of {nominal_chips} chips are used, "
            "{borrowable_chips} could be borrowed"
        ),
        mark("waits for its quota"),
    ),
    "WAITS_FOR_VICTIMS": (
        mark("others make room for it at {pool_id}, expected start {expected_start_s}"),
        mark("others make room for it"),
    ),
    "HIGHER_PRIORITY": (
        mark("it makes room at {pool_id} for a job of priority {for_priority}; its own is {priority}"),
        mark("it makes room for a job of higher priority"),
    ),
    "GIVEN_BACK": (
        mark("it gives chips of {pool_id} back to the tenant whose quota they are"),
        mark("it gives chips back to the tenant whose quota they are"),
    ),
    "NO_POOL_FITS": (mark("no pool can run it as it is"),),
    "NO_POOL_OPEN": (mark("no pool that could run it takes it at present"),),
    "ONLY_POOL": (mark("the only pool that can run it"),),
    "CHEAPEST_POOL": (mark("the cheapest of {fitting_pools} pools that can run it"), mark("the cheapest pool")),
    "SOONEST_START": (
        mark("the soonest start of {fitting_pools} pools that can run it"),
        mark("the soonest start"),
    ),
    "BEST_BALANCE": (
        mark("the best balance of price and start among {fitting_pools} pools that can run it"),
        mark("the best balance of price and start"),
    ),
}

_CALENDAR = {
    "BOOKING_CONFIRMED": (mark("{nodes} nodes are booked from {start_s} to {end_s}"),),
    "BOOKING_IS_OVER": (mark("it would have ended {end_s}: nothing is booked in the past"),),
    "BOOKING_HAS_NO_ROOM_THEN": (
        mark(
            "too few nodes are free all that time; in the way are jobs: {jobs}, bookings: {bookings}, "
            "maintenance: {windows}; there is room from {earliest_start_s}"
        ),
    ),
    "BOOKING_LOST_NODES": (mark("nodes of it are gone: {lost}; nodes left: {left}"),),
    "BOOKING_NODES_ARE_BACK": (mark("nodes of it are back: {again}"),),
    "WINDOW_STANDS": (mark("nobody starts who would run between {start_s} and {end_s}; bookings in it: {bookings}"),),
}

_JOBS = {
    "RUNNING": (mark("runs at {centre}, attempt {attempt}"),),
    "SUCCEEDED": (mark("attempt {attempt} at {centre} succeeded"), mark("it succeeded")),
    "FAILED": (
        mark("attempt {attempt} at {centre} failed with exit code {exit_code}"),
        mark("attempt {attempt} at {centre} failed"),
    ),
    "CANCELLED": (mark("attempt {attempt} at {centre} was cancelled"), mark("it was cancelled")),
    "TIMED_OUT": (mark("attempt {attempt} at {centre} reached its time limit"),),
    "OUT_OF_MEMORY": (mark("attempt {attempt} at {centre} ran out of memory"),),
    "KILLED": (
        mark("attempt {attempt} at {centre} was killed from outside by signal {signal}"),
        mark("attempt {attempt} at {centre} was killed from outside"),
    ),
    "PREEMPTED": (mark("attempt {attempt} at {centre} had to make room for others"),),
    "NODE_FAILED": (mark("a node of {centre} failed under attempt {attempt}"),),
    "ABANDONED": (mark("attempt {attempt} was given up, because nothing is heard of {centre}: {detail}"),),
    "NEVER_STARTED": (
        mark("attempt {attempt} at {centre} never started: {detail}"),
        mark("attempt {attempt} at {centre} never started"),
    ),
    "SETUP_FAILED": (
        mark("the setup of attempt {attempt} at {centre} failed with exit code {exit_code}"),
        mark("the setup of attempt {attempt} at {centre} failed: {detail}"),
        mark("the setup of attempt {attempt} at {centre} failed"),
    ),
    "RECOVERING": (
        mark("recovers, from step {from_step}, because {after}"),
        mark("recovers, from the beginning, because {after}"),
    ),
    "CANCELLED_BY_TENANT": (mark("cancelled by its tenant at {at}"),),
    "NO_POOL": (mark("no centre can run it: {pools}"),),
    "INSUFFICIENT_VALUE": (
        mark(
            "{needed_fen} yuan must be held even for the cheapest offers, {available_fen} are free: "
            "top up, or ask for less walltime"
        ),
        mark("the account cannot hold the value of another attempt (after {after})"),
    ),
    "NO_BUDGET_LEFT": (mark("its project's budget of this month has no room for another attempt (after {after})"),),
    "COST_LIMIT_REACHED": (mark("all of the {max_cost_fen} yuan that it may cost are spent (after {after})"),),
}

_VOUCHERS = {
    code: (*_OTHER_ADVICE.get(code, ()), *_ADVICE, *refusals)
    for code, refusals in {
        "ENTITY_NOT_ELIGIBLE": (
            mark("the applicant is not eligible ({field}: {now}); the rules ask for {limit}"),
            mark("the applicant is not eligible ({field}: not stated); the rules ask for {limit}"),
        ),
        "DISHONESTY_RECORD": (mark("there is a record of dishonesty: {now} years clean, the rules ask for {limit}"),),
        "STACKED_SUBSIDY": (mark("the contract is subsidised already: {now}; the rules forbid {limit}"),),
        "SIGNED_TOO_EARLY": (
            mark("{field}: {now}; the rules begin on {limit}"),
            mark("{field}: not stated; the rules begin on {limit}"),
        ),
        "SIGNED_IN_FUTURE": (mark("{field}: {now}; a contract is signed before it is claimed for, today is {limit}"),),
        "TERM_TOO_LONG": (
            mark("the contract runs {now} days, the rules allow {limit}"),
            mark("the contract must state its days; the rules allow {limit}"),
        ),
        "USE_NOT_ELIGIBLE": (mark("the use {now} is not eligible; the rules pay for {limit}"),),
        "NO_ELIGIBLE_COMPONENT": (
            mark("no part of the contract is eligible: {now}; the rules pay for {limit}"),
            mark("no part of the contract is eligible; the rules pay for {limit}"),
        ),
        "CONTRACT_ALREADY_CLAIMED": (mark("this contract, or the one that it is a part of, was claimed for before"),),
        "RELATED_PARTY": (mark("applicant and provider are related parties"),),
        "PROVIDER_NOT_ELIGIBLE": (
            mark("the provider is not eligible ({field}: {now}); the rules ask for {limit}"),
            mark("the provider is not eligible: the rules ask for {limit}"),
        ),
        "BELOW_MIN_CLAIM": (mark("{field}: {now}, below the least of {limit}"),),
        "CAP_REACHED": (mark("the cap of {limit} is reached"), mark("a cap of the rules is reached")),
        "BUDGET_EXHAUSTED": (
            mark("the programme's budget is used up: {now} yuan are left"),
            mark("the programme's budget is used up"),
        ),
        "OTHER_SIDE_CLAIMED": (mark("the other side of the contract has claimed already"),),
        "NOT_PAID": (mark("the compute must be used and paid first"),),
        "EXPIRED": (mark("it is over ({field}: {now}); the last day was {limit}"), mark("it is over")),
        "NOT_TRANSFERABLE": (mark("vouchers of this programme cannot be passed on"),),
        "per_claim": (),
        "per_entity_year": (),
        "per_entity_total": (),
        "programme_budget": (),
        "share_of_bill": (),
        "voucher_left": (),
    }.items()
}

_INVENTORY = {
    "POOL_NOT_FOUND": (mark("the agent knows no pool {pool}"),),
    "POOL_CHIP_DIFFERS": (mark("{pool} is offered with {chip}, its agent finds {found_chip}"),),
    "NODE_NOT_FOUND": (mark("node {node} of {pool} is offered and not found"),),
    "NODE_DOWN": (mark("node {node} of {pool} is down"),),
    "NODE_DIFFERS": (
        mark(
            "node {node} of {pool} is offered with {chips} chips and {cpus} CPUs, "
            "its agent finds {found_chips} and {found_cpus}"
        ),
    ),
    "NODE_NOT_OFFERED": (mark("node {node} of {pool} is found and not offered"),),
}

_MORE_ERRORS = {
    "INVALID_INPUT": (
        mark("{field}: {value} is not allowed; {allowed}"),
        mark("{field} is missing; {allowed}"),
    ),
    "NO_PRODUCT": (mark("{centre} sells no {product}; `suanwang product list` shows what is sold"),),
    "NO_ORDER": (mark("there is no order {order} here"),),
    "ORDER_NOT_COVERED": (
        mark("{needed_fen} yuan must be held, {available_fen} are free: top up, or set a lower limit"),
    ),
    "ORDER_EXHAUSTED": (mark("what is held for order {order} is used up: it takes no more use"),),
    "ORDER_CLOSED": (mark("order {order} is closed: it takes no more use"),),
    "ORDER_OVER": (mark("order {order} is over already"),),
    "USE_OVERLAPS": (mark("use from {start_s} until {end_s} is recorded already"),),
    "RATES_OVERLAP": (mark("{field}: {value} is not allowed; {allowed}"),),
    "UNKNOWN_CHIP": (mark("{field}: there is no chip {value}; {allowed}"),),
    "SECRETS_REFUSED": (mark("{field}: {value} is not allowed; {allowed}"),),
    "LOCAL_WORKDIR": (mark("{field}: {value} is not allowed; {allowed}"),),
    "BAD_HUB_URL": (
        mark("{field}: {value} is no address of a hub; it looks like http://127.0.0.1:7700 or https://hub.example.org"),
    ),
    "BAD_TOKEN": (mark("{field} holds no token: a token is one line of ASCII characters, as it was issued"),),
    "TOKEN_MISSING": (mark("nobody is logged in"),),
    "TOKEN_REFUSED": (mark("this token is not known, has ended or was revoked"),),
    "JOB_ENDED": (mark("this job is over: {state}"),),
    "AMBIGUOUS": (mark("{count} jobs answer to {job}; say one by its number or id, the newest are: {candidates}"),),
    "RULE_NOT_ENFORCED": (mark("{field}: {value} is not enforced yet; {allowed}"),),
    "NOT_YOURS_TO_SAY": (
        mark("{field}: a centre does not say this of itself; an officer puts it on a list (`provider-list add`)"),
    ),
    "ID_TAKEN": (mark("the id {id} is taken"),),
    "SECRET_SHOWN_ONCE": (
        mark("token {token} was issued by this call and its secret shown once; revoke it and issue another"),
    ),
    "BUDGET_EXCEEDED": (
        mark(
            "project {project} has a budget of {budget_fen} yuan for this month: {spent_fen} are spent, "
            "{held_fen} held, {asked_fen} asked; raise the budget, ask for less walltime, or wait for jobs to end"
        ),
    ),
    "NO_PROJECT": (mark("you have no project {project}"),),
    "PROJECT_TAKEN": (mark("there is a project {project} already"),),
    "LIVE_JOBS_QUOTA": (
        mark("you have {live} jobs that are not over and ask for {asked} more; {limit} are allowed at once"),
    ),
    "BLOB_QUOTA": (
        mark(
            "a file of {size_bytes} bytes is too much: your files are {used_bytes} bytes, {limit_bytes} are allowed; "
            "files that no live job needs go by themselves after some days"
        ),
    ),
    "NODE_IN_USE": (
        mark(
            "jobs run on {taken} chips of node {node} of {pool}, which would have {chips}: "
            "keep its name and its chips until they have ended, or drain the centre first"
        ),
    ),
    "IDEMPOTENCY_KEY_REUSED": (mark("this key was used before for another request; choose a new --key"),),
    "CENTRE_IS_SEEN": (mark("{centre} is seen: cancel its jobs or drain it; it can be given up once it is unseen"),),
    "CLAWED_BACK": (mark("voucher {voucher} is clawed back already"),),
    "JOB_NOT_SETTLED": (mark("refunds are for jobs that are over"),),
    "DISPUTE_OPEN": (mark("dispute {dispute} is about this attempt and not answered yet"),),
    "DISPUTE_ANSWERED": (mark("dispute {dispute} is answered, and an answer stands"),),
    "NO_DISPUTE": (mark("there is no dispute {dispute}"),),
    "PERIOD_CLOSED": (mark("period {period} is closed, and a closed period never opens again"),),
    "PERIOD_NOT_NEXT": (mark("periods are closed one after the other: the next one is {next}, not {period}"),),
    "PERIOD_NOT_CLOSED": (mark("period {period} is not closed: a batch is of a closed month"),),
    "TAKES_BATCHES": (
        mark(
            "months are closed here, so a payment takes two people: `suanwang settlement propose`, and another approves"
        ),
    ),
    "NO_BATCH": (mark("there is no batch {batch}"),),
    "BATCH_NOT_IN_TURN": (mark("batch {batch} is {state}: this is not its turn"),),
    "BATCH_DISPUTED": (
        mark("lines of batch {batch} are disputed since (disputes {disputes}): reject it, and propose again"),
    ),
    "FOUR_EYES": (mark("you proposed batch {batch}: another administrator approves it"),),
    "NOTHING_TO_TRACE": (mark("nothing in the book is about {reference}"),),
    "PERIOD_NOT_OVER": (mark("period {period} is not over"),),
    "CENTRE_IS_LOST": (mark("{centre} is declared lost already"),),
    "CENTRE_NOT_LOST": (mark("{centre} is not declared lost"),),
    "JOB_NOT_PLACED": (mark("this job is placed nowhere: there is no attempt to give up"),),
    "ABANDONED_NOT_OVER": (
        mark(
            "{count} attempts that were given up may still run at {centre} (of jobs {jobs}): "
            "let its agent call, it is told to stop them"
        ),
    ),
    "CENTRE_SILENT": (mark("{centre} does not answer; its logs stay there and can be read once it is seen again"),),
    "BRAIN_STANDS_BY": (mark("this hub stands by, another one decides; ask that one"),),
    "BRAIN_STARTING": (mark("the hub is starting; ask again in a second"),),
    "LESS_IS_LEFT": (mark("only {left_fen} yuan can be granted by now: caps or budget have shrunk"),),
    "HUB_UNREACHABLE": (mark("the hub at {url} does not answer"),),
    "DATABASE_UNREACHABLE": (mark("the hub's database does not answer"),),
    "DATABASE_URL": (mark("the database URL {value} cannot be used; {allowed}"),),
    "NO_DATABASE_SERVER": (
        mark("no PostgreSQL can be reached at {address} ({said}); is it running, and does it listen there?"),
    ),
    "DATABASE_LOGIN": (
        mark("PostgreSQL does not let the hub in at {address} ({said}); check user, password and pg_hba.conf"),
    ),
    "NO_DATABASE": (mark("{said} at {address}; create it, owned by the user that you name"),),
    "DATABASE_RIGHTS": (mark("the database user {user} lacks rights; let a superuser run: {statements}"),),
    "DATABASE_UNFIT": (mark("{found} cannot be used; it takes {needed}"),),
    "DATABASE_BUSY": (mark("the hub's database has no free connection; try again"),),
    "BOOK_NOT_SEALED": (
        mark("something goes on in the database since before the last entries of {period}; try again in a minute"),
    ),
    "TRY_AGAIN": (mark("another change came first; send the same call again"),),
    "WORKDIR_TOO_LARGE": (
        mark("the folder {folder} packs to more than {limit_mib} MiB; leave files out, or fetch them in setup"),
    ),
    "NO_WORKDIR": (mark("the workdir {folder} is no folder here; start from where the task file expects it"),),
    "NO_PROFILE": (mark("there is no profile {profile}; known here: {known}"),),
    "HUB_RUNS_ALREADY": (mark("a hub runs already with {home}; stop it, or give this one another SUANWANG_HOME"),),
    "ADDRESS_TAKEN": (mark("{address} cannot be used; is a hub running already? Choose another --port"),),
    "BUG": (mark("the hub made a mistake; its log knows it as incident {incident}"),),
}

_BOOK = {
    "BOOK_WITHOUT_SEAL": (mark("there is no seal in it"),),
    "BOOK_GOES_ON": (mark("{count} transactions stand behind the last seal"),),
    "BOOK_LINE_UNREADABLE": (mark("neither a transaction nor a seal"),),
    "SEAL_OF_MORE_OR_LESS": (mark("seal {seal} is over {sealed} transactions, {here} are here"),),
    "SEAL_OF_OTHERS": (mark("the transactions of seal {seal} are not those that were sealed"),),
    "SEAL_NOT_IN_TURN": (mark("seal {seal} does not follow seal {before}"),),
    "TRANSACTION_TWICE": (mark("transaction {transaction} stands twice"),),
    "TRANSFER_IMPOSSIBLE": (mark("a transfer of {amount} from {debit} to {credit}"),),
    "ACCOUNT_BELOW_ZERO": (mark("{account} falls to {balance}, below zero"),),
    "BOOK_WITHOUT_BEGINNING": (mark("the book begins with seal {seal}: what was before is not in it"),),
    "BATCH_OF_OTHER_LINES": (mark("the lines of batch {batch} are not those that its hash is of"),),
    "BATCH_SUM": (mark("batch {batch} says {fen} yuan, its lines add up to {found_fen}"),),
    "FUNDERS_SUM": (mark("the funders of {programme} owe {fen} yuan for batch {batch}, which is not what it takes"),),
    "LINE_NOT_IN_BOOK": (mark("batch {batch} has {fen} yuan of transaction {transaction}; the book has it otherwise"),),
    "LINE_TWICE": (mark("transaction {transaction} is in batch {batch} and in {other}"),),
    "BATCH_NOT_AS_RECORDED": (mark("the sealed records say something else of batch {batch}, or nothing"),),
    "BATCH_MISSING": (mark("batch {batch} is in the sealed records and not here"),),
    "BATCH_NOT_PAID": (mark("batch {batch} is not paid in the book as its lines say"),),
    "PAYMENT_FOR_OTHERS": (mark("the payment {transaction} in the book is not for the lines of batch {batch}"),),
    "PAYMENT_WITHOUT_BATCH": (mark("the payment {transaction} in the book is for batch {batch}, which is not here"),),
}

SENTENCES: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    _PLACEMENT | _CALENDAR | _JOBS | _VOUCHERS | _INVENTORY | _BOOK
)
"""Reasons: why a job is where it is, why a claim got what it got."""
ERRORS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    _MORE_ERRORS | {code: _JOBS[code] for code in ("NO_POOL", "INSUFFICIENT_VALUE")}
)
"""A "no" or a failure as the answer to a call."""

NOTICES: MappingProxyType[str, str] = MappingProxyType(
    {
        "NO_WALLTIME": mark("no time limit is given: {walltime_s} is taken, and a job that reaches it is ended"),
        "LOCAL_WORKDIR": mark("{path} is on your machine and goes with the job when it is submitted"),
        "ENV_READ_AS_BOOLEAN": mark("YAML reads this as a boolean, the job sees {value}; quote it"),
        "ENV_NOT_EXPANDED": mark("values are passed on as they are, ${{…}} is not filled in"),
        "DOCKER_LOGIN_IGNORED": mark("centres log in to no private registry for a job; use an image open to them"),
        "DATA_NOT_MOVED": mark("kept as a label; the job itself fetches and writes its data ({place})"),
        "NO_CPUS": mark("neither accelerators nor cpus: {cpus} CPU core per node is taken"),
        "MAX_HOURLY_COST_READ_AS_YUAN": mark("read as {yuan_per_hour} yuan per hour for the whole job, not as dollars"),
        "PUBLIC_CLOUD_IGNORED": mark("{place} is a public cloud: any centre that has the chips may run the job"),
        "OWN_CLUSTER_IGNORED": mark("{place} is a cluster of your own: any centre with the chips may run the job"),
        "NO_RECOVERY": mark("the job is not started again after a failure of the centre"),
        "RECOVERY_STRATEGY_IGNORED": mark("the network itself chooses where a job recovers: near its checkpoint first"),
    }
)

FIELDS: MappingProxyType[str, str] = MappingProxyType(
    {
        "applicant.registered_in": mark("place of registration"),
        "applicant.entity_type": mark("kind of applicant"),
        "applicant.legal_person": mark("being a legal person"),
        "applicant.size": mark("size of the applicant"),
        "applicant.startup": mark("being a start-up"),
        "applicant.years_since_dishonesty": mark("years without dishonesty"),
        "applicant.years_since_blacklisted": mark("years off the blacklist"),
        "contract.project_tags": mark("tags of the project"),
        "contract.other_subsidies": mark("other subsidies of the contract"),
        "contract.signed_on": mark("date of the contract"),
        "contract.term_days": mark("days of the contract"),
        "contract.uses": mark("use of the compute"),
        "contract.parts": mark("parts of the contract"),
        "contract.amount_fen": mark("amount of the contract"),
        "contract.used": mark("compute used"),
        "contract.split_of": mark("contract that it is a part of"),
        "contract.chip_domestic": mark("domestic chips"),
        "contract.filed_multimodal_model_service": mark("filed multimodal model service"),
        "contract.providers.related": mark("being related to the applicant"),
        "contract.providers.listed": mark("being on the programme's list"),
        "contract.providers.in_city_plan": mark("being in the city's plan"),
        "contract.providers.in_cluster": mark("cluster of the provider"),
        "contract.providers.matching_partner": mark("being a matching partner"),
        "contract.providers.type": mark("type of the provider"),
        "contract.providers.pflops": mark("PFLOPS of the provider"),
        "contract.providers.racks": mark("racks of the provider"),
        "history.claimed_contracts": mark("contracts claimed for"),
        "history.claimed_year_fen": mark("claimed in this year"),
        "history.claimed_total_fen": mark("claimed in total"),
        "history.redeemed_year_fen": mark("redeemed in this year"),
        "history.redeemed_total_fen": mark("redeemed in total"),
        "history.programme_left_fen": mark("budget left"),
        "history.other_side_claimed": mark("claimed by the other side"),
        "base_fen": mark("eligible part of the contract"),
        "on": mark("day of the claim"),
        "use": mark("use of the compute"),
        "kind": mark("kind of compute"),
        "used_fen": mark("used of the voucher"),
        "redemption.on_s": mark("day of the redemption"),
    }
)

WORDS: MappingProxyType[str, str] = MappingProxyType(
    {
        # states of jobs, phases and causes of attempts
        "queued": mark("queued"),
        "placed": mark("placed"),
        "starting": mark("starting"),
        "running": mark("running"),
        "cancelling": mark("cancelling"),
        "succeeded": mark("succeeded"),
        "failed": mark("failed"),
        "cancelled": mark("cancelled"),
        "ended": mark("ended"),
        "unknown": mark("unknown"),
        "timed_out": mark("timed out"),
        "out_of_memory": mark("out of memory"),
        "killed": mark("killed from outside"),
        "preempted": mark("preempted"),
        "node_failed": mark("node failed"),
        "never_started": mark("never started"),
        "setup_failed": mark("setup failed"),
        "abandoned": mark("given up"),
        # centres
        "seen": mark("seen"),
        "charge_order": mark("charge of an order"),
        "open": mark("open"),
        "closed": mark("closed"),
        "gib-month": mark("GiB-month"),
        "gib": mark("GiB moved"),
        "million-tokens": mark("million tokens"),
        "hour": mark("hour"),
        "bytes": mark("bytes"),
        "tokens": mark("tokens"),
        "seconds": mark("seconds"),
        "mon": mark("Mon"),
        "tue": mark("Tue"),
        "wed": mark("Wed"),
        "thu": mark("Thu"),
        "fri": mark("Fri"),
        "sat": mark("Sat"),
        "sun": mark("Sun"),
        "unseen": mark("unseen"),
        "drained": mark("drained"),
        "lost": mark("declared lost"),
        # bookings and maintenance
        "asked": mark("asked for"),
        "confirmed": mark("confirmed"),
        "removed": mark("removed"),
        "planned": mark("planned"),
        # claims and vouchers
        "draft": mark("draft"),
        "submitted": mark("submitted"),
        "verified": mark("verified"),
        "granted": mark("granted"),
        "refused": mark("refused"),
        "withdrawn": mark("withdrawn"),
        "active": mark("active"),
        "exhausted": mark("exhausted"),
        "expired": mark("expired"),
        "revoked": mark("revoked"),
        "offset": mark("taken off the bill"),
        "reimburse": mark("repaid after payment"),
        "per_claim": mark("cap per claim"),
        "per_entity_year": mark("cap per applicant and year"),
        "per_entity_total": mark("cap per applicant"),
        "programme_budget": mark("budget of the programme"),
        "share_of_bill": mark("share of the bill"),
        "voucher_left": mark("what is left of the voucher"),
        "training": mark("training"),
        "inference": mark("inference"),
        "application": mark("application"),
        "intelligent": mark("intelligent computing"),
        "super": mark("supercomputing"),
        "general": mark("general computing"),
        "storage": mark("storage"),
        "model_service": mark("model service"),
        "tuning": mark("tuning"),
        # movements of the book
        "hold": mark("hold"),
        "release": mark("release"),
        "charge": mark("charge"),
        "order": mark("service order"),
        "chip-hour": mark("chip-hour"),
        "redeem": mark("redemption"),
        "refund": mark("refund"),
        "fund": mark("funding of a programme"),
        "grant": mark("grant of a voucher"),
        "top_up": mark("payment of a tenant"),
        "expire": mark("end of a voucher"),
        "pay_centre": mark("payment to a centre"),
        "pay_tenant": mark("reimbursement of a tenant"),
        # settlement batches
        "proposed": mark("proposed"),
        "approved": mark("approved"),
        "paid": mark("paid"),
        "rejected": mark("rejected"),
        # organisations and roles
        "tenant": mark("tenant"),
        "centre": mark("centre"),
        "agency": mark("agency"),
        "network": mark("network"),
        "tenant_member": mark("member of a tenant"),
        "tenant_admin": mark("administrator of a tenant"),
        "centre_operator": mark("operator of a centre"),
        "centre_agent": mark("agent of a centre"),
        "programme_officer": mark("programme officer"),
        "auditor": mark("auditor"),
        "network_admin": mark("administrator of the network"),
    }
)
