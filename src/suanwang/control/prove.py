"""The proofs: statements about money and machines that the records must never contradict."""

from suanwang.control import period, seal
from suanwang.store import proof
from suanwang.store.db import Database
from suanwang.wire import Proof, Proofs

STATEMENTS = {
    "transactions_whole": "every transaction has exactly the transfers that its header states",
    "assets_sum_to_zero": "books balance: every asset sums to zero over all accounts",
    "balances_replay": "every balance equals the replay of its transfers, and none is below zero",
    "sums_replay": "the sum of every account without a limit equals the replay of its sealed transfers",
    "usage_charged": "every second used by a settled attempt stands on exactly one charge line",
    "charges_rated": "every charge equals the kept chip-seconds at the price frozen when the job was placed",
    "prices_as_offered": "every attempt has the price that its pool asked for when it was placed",
    "charges_posted": "every charge line is what its transaction took, from whom and for whom, and the other way round",
    "refunds_within_charges": "no attempt was given back more than it was charged",
    "refunds_posted": "every refund is what its transaction gave back to whom, and the other way round",
    "usage_within_attempts": "usage intervals lie within their attempt and never overlap",
    "usage_whole": "an attempt that is over has usage for every second from its start to its end",
    "holds_of_live_jobs": "value is on hold only for jobs that are not settled and orders that are open",
    "orders_held": "of every open order is held what its holds took less its charges, of others nothing",
    "orders_charged": "the charges of every order are the price of all its use, at the price when it was placed",
    "order_charges_posted": "every charge of an order has its transaction in the book, and the other way round",
    "order_uses_apart": "use of an order begins after it was placed and never overlaps",
    "live_jobs_held": "no job is live without a hold",
    "live_jobs_counted": "of every tenant as many jobs are counted as live as there are",
    "jobs_settled": "every job that is over is settled",
    "pools_never_overcommitted": "no pool ever had more chips placed than it had at that time",
    "nodes_never_overcommitted": "no node ever had more chips placed than it had at that time",
    "attempts_one_at_a_time": "no job ever had two attempts at once",
    "reports_applied": "every report that an agent sent is applied",
    "vouchers_whole": "of every voucher: granted = available + held + used + expired + taken back unused",
    "claw_backs_as_booked": "of every voucher was taken back what its claw-back says, and no more repaid than was owed",
    "vouchers_where_accepted": "vouchers paid only where their rules accepted the centre when the job was submitted",
    "projects_spent": "what every project spent in a month is its charges less its refunds of that month",
    "projects_held": "what every project holds is what its jobs that are not over can still cost",
    "programmes_whole": "of every programme: paid in - paid out = what its accounts hold",
    "accounts_named": "every account is of the owner, asset and kind that its key says",
    "records_kept": "every row that decides about money is as it was recorded, and none is missing or new",
    "sealed_unchanged": "every sealed transaction and record is as it was when it was sealed, and where it was",
    "seals_chained": "every seal follows the one before it and is over exactly its entries",
    "periods_closed": "closed periods follow one another, and each still adds up to what it was closed with",
    "batches_as_booked": "every line of a settlement batch is what the book says, and every batch is its lines",
    "batches_paid": "every batch that is paid was paid what its lines come to, and for them",
    "settled_once": "nothing that is owed is in two settlement batches that live",
    "batches_by_two": "no batch was approved by who proposed it, but those that were paid at once",
    "nothing_slipped_in": "no transaction or record is older than the last seal and in none",
}
RECKONED = {"seals_chained": seal.contradictions, "periods_closed": period.contradictions}
"""Those that take more than a query."""
MOST_TOLD = 20


async def prove(db: Database, now_s: int) -> Proofs:
    """All statements, as of one instant."""
    found = []
    async with db.transaction(snapshot=True) as tx:
        for name, statement in STATEMENTS.items():
            reckon = RECKONED.get(name)
            look = reckon(tx, MOST_TOLD) if reckon else proof.contradictions(tx, name, MOST_TOLD)
            contradictions = await look
            found.append(Proof(name, statement, not contradictions, contradictions))
        counts = await proof.counts(tx)
    return Proofs(now_s, all(one.holds for one in found), found, counts)
