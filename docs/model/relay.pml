/* The relay's exactly-once protocol, for Spin: one report id X, E copies of its message in the queue, R relays that all believe they own
   the shard. It says that X is committed at most once and never lost, however often relays crash, are fenced, lose answers, or are given
   the same message again. docs/model/README.md tells how to run it; `npm run verify:model` runs all of it.

   What is not bounded. There are no counters: crashes, epochs, lease expiries, time-outs of the coordinator, and other envelopes in the
   ledger may be as many as they like. Two observations make that possible:

   - An epoch is only ever compared with the newest one. So `current` names the relay that has the newest epoch, or nobody. A request of an
     older epoch is refused whenever it arrives, so it is taken out of the network when a newer epoch begins.
   - An offset is only ever compared with the offset `at` of X's ledger record. So of `low`, of the committed `low`, of what a relay has
     read, and of the E of a look-up, one bit each is kept: is it past `at`? As long as X was never committed, none is. Where the
     real relay finds `low` above E although both are on one side of `at`, it only asks again, which the model may do at any time.

   What is left out
   - A lease. A message that is in the queue may be given to anybody at any moment, and an ack may fail: that is what leases that run out,
     leases given back and second deliveries amount to.
   - The claim is one step, and so is the reading up to it: what lies below the claim does not change any more.
   - The markers of all partitions of a transaction are written in one step. A partition without leader at that moment, and a record that
     is appended to a partition after its marker, are outside the model; so are brokers that lose what they acknowledged.
   - Ages as numbers. It is taken for granted that no copy is young enough to be sent any more once the row may be gone.
   - Dead letters. A copy that is too old to be sent stays in the queue here.
   - Progress. The model says what never happens, not that something happens.

   Invariants (docs/reliability.md), watched in every state
     I1  X is in Kafka at most once
     I2  a copy that has left the queue means that X is committed, or will be by a decision that is durable
     I3  X's data is committed if and only if its ledger record is
     I4  a status row says delivered only of what is committed
     I5  no transaction commits for an epoch that is not the newest

   Mutations: each takes one sentence of the protocol away, and Spin must find what comes of it.
   The fence and the reading
     READ_BEFORE_INIT        "first INIT, then the ledger is read"
     NO_REREAD               "after every INIT, not only after the first one of a process"
     NO_LEDGER_READ_ON_BOOT  "no boot goes without the reading"
     READ_PAST_CLAIM         "read is what lies below the own claim, and nothing else counts as read"
     REUSE_EPOCH             "after a doubt a new epoch, never an abort and another try in the same one"
     COMMIT_UNCHECKED        "COMMIT only when every append was answered"
     ACK_EARLY               "a lease is acked when its outcome is taken, not when its transaction begins"
     STATUS_EARLY            "an outcome is posted after COMMIT was answered"
   Kafka's own part, to see that the model would notice if it were missing
     NO_FENCE                "EndTxn of an older epoch is refused"
     OLD_REQUESTS_COUNT      "a request of an older epoch is refused, however late it arrives"
     INIT_BEFORE_MARKERS     "INIT waits until the predecessor's transaction is complete"
   The memory rule, "Absence needs evidence"; in brackets the name in the exhaustive model that the rule was found with
     ASK_WHILE_REMEMBERED    "asked is only for an id that is not remembered"                              [ask while remembered]
     LOW_PAST_UNTAKEN        "`low` moves only past outcomes that the status store has taken"              [forget before taken]
     SAVED_PAST_UNTAKEN      the same, of the `low` that is committed for the next process
     BOOT_AT_END             "a process begins to read at the committed `low`"                             [boot forgets]
     LOW_PAST_LOOKUP         "`low` is not above the E of a look-up in use"                                [old answer]
     E_NOTED_LATE            "E is noted in the turn of the asking"
     SEND_WITHOUT_RECHECK    "the id is still not remembered when the transaction begins"                  [decide early]
     NO_ANSWER_IS_ABSENT     "no answer, no send"
     NO_AGE_LIMIT            "sent is only what was accepted at most 8 days ago"                           [no age limit]

   These must hold, too
     NO_HOLD                 `low` may pass the E of a look-up in use; only the check at SEND is left
     NO_LOW_CHECK            the check at SEND is gone; only the hold is left. LOW_PAST_LOOKUP is both
     NEVER_TAKEN             the status store takes nothing, ever                                          [never taken]

   Witnesses: states that must be reachable, so that the model is not right because nothing happens in it
     WITNESS_DONE            X is committed, every copy has left, the outcome is taken and forgotten
     WITNESS_GONE            the same, the row is gone, and a relay has been told so
     WITNESS_DOUBT           X is committed although the relay that sent it does not know yet

   Sizes: E, copies of the message (1); R, relays (2); HELD, deliveries of X that one relay has in hand at once (2, or 1) */

#ifndef E
#define E 1
#endif
#ifndef R
#define R 2
#endif
#ifndef HELD
#define HELD 2
#endif

#ifdef LOW_PAST_LOOKUP
#define NO_HOLD
#define NO_LOW_CHECK
#endif

/* ---- Kafka ------------------------------------------------------------------------------------------------------------------------ */

#define NOBODY R

mtype = { Empty, Ongoing, PrepareCommit, PrepareAbort, Nothing, DataAppend, LedgerAppend, EndTxn };

mtype txn = Empty;             /* the transaction of the shard's transactional id */
byte current = NOBODY;         /* who has the newest epoch */
byte data = 0;                 /* how often X is in the transaction */
byte entries = 0;              /* how many ledger records of X are in it */
byte committed = 0;            /* how often X is committed: data */
byte ledger = 0;               /* how often X is committed: ledger records */
mtype underway = Nothing;      /* a request of the newest epoch that arrives later, when nobody waits for its answer any more */

/* How often X is committed, or will be whatever happens. */
#define DECIDED_COPIES (committed + (txn == PrepareCommit -> data : 0))

/* A newer epoch begins. What is under way of the older one is refused from now on. */
#ifdef OLD_REQUESTS_COUNT
#define EPOCH(whose) current = whose
#else
#define EPOCH(whose) current = whose; underway = Nothing
#endif

/* ---- Queue and status store ------------------------------------------------------------------------------------------------------- */

byte copies = E;               /* messages of X in the queue */
bool row = false;              /* the status store says that X is delivered */
bool old = false;              /* every accept of X is more than 8 days ago. Only then may a row, which lives 9, be gone */
bool saved = false;            /* the committed `low` is past X's ledger record */

/* ---- Relays ----------------------------------------------------------------------------------------------------------------------- */

/* Where a relay's loop is. */
#define BOOT 0                 /* INIT comes next */
#define INITED 1
#define CLAIMED 2
#define RUN 3
#define CHOSEN 4               /* the decision is made, SEND begins */
#define ADDED 5
#define WROTE_DATA 6
#define WROTE_LEDGER 7
#define ENDED 8                /* EndTxn was executed, its answer is on its way */

/* What a relay process knows of X's ledger record. */
#define UNREAD 0               /* it has not read that far, or there is none */
#define UNTAKEN 1              /* remembered, to be settled */
#define TAKEN 2                /* remembered, the status store has it */
#define FORGOTTEN 3            /* `low` is past it */

/* A delivery of X in a relay's hands. BEFORE and AFTER: where the E of its look-up is, seen from X's ledger record. */
#define NONE 0
#define ASKED_BEFORE 1
#define ASKED_AFTER 2
#define ABSENT_BEFORE 3        /* answered: the store has no row */
#define ABSENT_AFTER 4
#define ABSENT_UNNOTED 5       /* only of E_NOTED_LATE */

byte loop[R] = BOOT;
byte knows[R] = UNREAD;
bool fresh[R] = true;          /* this process has not read the ledger yet */
byte first[R] = NONE;          /* the deliveries in hand; while one is sent it is the first, otherwise they are in order of size */
byte second[R] = NONE;

byte spare = 0;

/* Names for Spin to print: an assertion of one of them fails where it is reached. */
bool I1 = false, I2 = false, I3 = false, I4 = false, I5 = false, REACHED = false;

#define REMEMBERED (knows[me] == UNTAKEN || knows[me] == TAKEN)
#define SENDING (loop[me] >= CHOSEN)
#define IS_ABSENT(d) (d == ABSENT_BEFORE || d == ABSENT_AFTER)
#define HOLDS_LOW(d) (d == ASKED_BEFORE || d == ABSENT_BEFORE)

#define SWAP spare = first[me]; first[me] = second[me]; second[me] = spare; spare = 0
/* Which of two deliveries is which makes no difference, so one order of them is enough. */
#define ORDER if :: !SENDING && first[me] < second[me] -> SWAP :: else fi

/* An ack that reaches the queue. */
#define ACK if :: copies > 0 -> copies-- :: else fi

/* The memory rule: asking, forgetting, sending. */
#ifdef ASK_WHILE_REMEMBERED
#define MAY_ASK true
#else
#define MAY_ASK (!REMEMBERED)
#endif

#ifdef LOW_PAST_UNTAKEN
#define IS_SETTLED REMEMBERED
#else
#define IS_SETTLED (knows[me] == TAKEN)
#endif

#ifdef NO_HOLD
#define IS_HELD false
#else
#define IS_HELD (HOLDS_LOW(first[me]) || HOLDS_LOW(second[me]))
#endif

#ifdef SEND_WITHOUT_RECHECK
#define STILL_UNKNOWN true
#else
#define STILL_UNKNOWN (!REMEMBERED)
#endif

#ifdef NO_LOW_CHECK
#define STILL_TRUE(d) true
#else
#define STILL_TRUE(d) (!(d == ABSENT_BEFORE && knows[me] == FORGOTTEN))
#endif

#ifdef NO_AGE_LIMIT
#define YOUNG true
#else
#define YOUNG (!old)
#endif

#define MAY_SEND(d) (IS_ABSENT(d) && STILL_UNKNOWN && STILL_TRUE(d) && YOUNG)

#ifdef ACK_EARLY
#define CHOOSE loop[me] = CHOSEN; ACK
#else
#define CHOOSE loop[me] = CHOSEN
#endif

/* What a boot reads: X's record, if it is committed and lies at or above where the reading begins. */
#ifdef NO_LEDGER_READ_ON_BOOT
#define SEES false
#else
#ifdef NO_REREAD
#define SEES (ledger > 0 && fresh[me])
#else
#define SEES (ledger > 0)
#endif
#endif

#ifdef BOOT_AT_END
#define BEGINS_PAST_X (ledger > 0)
#else
#define BEGINS_PAST_X (saved)
#endif

#define READ \
  if \
  :: fresh[me] && BEGINS_PAST_X -> knows[me] = FORGOTTEN \
  :: !(fresh[me] && BEGINS_PAST_X) && knows[me] == UNREAD && SEES -> knows[me] = UNTAKEN \
  :: else \
  fi; \
  fresh[me] = false

#ifdef INIT_BEFORE_MARKERS
#define MAY_INIT (txn == Empty || txn == PrepareCommit)
#else
#define MAY_INIT (txn == Empty)
#endif

#ifdef NO_ANSWER_IS_ABSENT
#define SAYS_ABSENT true
#else
#define SAYS_ABSENT (!row)
#endif

#ifdef E_NOTED_LATE
#define ABSENT(d) d = ABSENT_UNNOTED
#else
#define ABSENT(d) d = (d == ASKED_BEFORE -> ABSENT_BEFORE : ABSENT_AFTER)
#endif

/* The steps of one delivery `d` in hand. While it is being sent, `d` is no longer looked at. */
#define DELIVERY(d, is_sent) \
  /* The store has a row: the message is acked. */ \
  :: d_step { (d == ASKED_BEFORE || d == ASKED_AFTER) && row && !is_sent -> \
       printf("relay %d: look-up answered, there is a row; ack\n", me); d = NONE; ACK; ORDER } \
  /* The store has none. */ \
  :: d_step { (d == ASKED_BEFORE || d == ASKED_AFTER) && SAYS_ABSENT && !is_sent -> \
       printf("relay %d: look-up answered, no row\n", me); ABSENT(d); ORDER } \
  /* No answer, or it can't be used, or X turns out to be remembered: the lease is given back, or runs out. */ \
  :: d_step { d != NONE && !is_sent -> \
       printf("relay %d: a delivery is given back\n", me); d = NONE; ORDER }

active [R] proctype Relay() {
#define me _pid
end:
  do
  /* ---- BOOT ---- */
  /* INIT finds an open transaction: Kafka begins to abort it, and says: try again. */
  :: d_step { loop[me] == BOOT && txn == Ongoing ->
       printf("relay %d: INIT, the open transaction is aborted\n", me); txn = PrepareAbort; EPOCH(NOBODY) }
#ifndef READ_BEFORE_INIT
  :: d_step { loop[me] == BOOT && MAY_INIT ->
       printf("relay %d: INIT\n", me); EPOCH(me); loop[me] = INITED }
  /* The claim is committed, and the ledger read up to it. */
  :: d_step { loop[me] == INITED && current == me ->
       printf("relay %d: claim, and the ledger is read\n", me); READ;
#ifdef READ_PAST_CLAIM
       loop[me] = CLAIMED }
  :: d_step { loop[me] == CLAIMED ->
       printf("relay %d: what lies behind the claim counts as read\n", me);
       if :: knows[me] == UNREAD && ledger > 0 -> knows[me] = FORGOTTEN :: else fi;
#endif
       loop[me] = RUN }
#else
  :: d_step { loop[me] == BOOT ->
       printf("relay %d: the ledger is read\n", me); READ; loop[me] = INITED }
  :: d_step { loop[me] == INITED && txn == Ongoing ->
       printf("relay %d: INIT, the open transaction is aborted\n", me); txn = PrepareAbort; EPOCH(NOBODY) }
  :: d_step { loop[me] == INITED && MAY_INIT ->
       printf("relay %d: INIT\n", me); EPOCH(me); loop[me] = RUN }
#endif

  /* ---- RUN: pull and look up, ahead of the transactions and through doubts ---- */
  /* The look-up is asked, and E noted in the same step: E is how far this process has read. */
  :: d_step { copies > 0 && !fresh[me] && MAY_ASK && (HELD == 2 && second[me] == NONE || first[me] == NONE) ->
       printf("relay %d: pulled, look-up asked\n", me);
       if
       :: first[me] == NONE -> first[me] = (knows[me] == UNREAD -> ASKED_BEFORE : ASKED_AFTER)
       :: else -> second[me] = (knows[me] == UNREAD -> ASKED_BEFORE : ASKED_AFTER)
       fi;
       ORDER }
  DELIVERY(first[me], SENDING)
#if HELD == 2
  DELIVERY(second[me], false)
#endif
#ifdef E_NOTED_LATE
  :: d_step { first[me] == ABSENT_UNNOTED && !SENDING ->
       printf("relay %d: E is noted\n", me); first[me] = (knows[me] == UNREAD -> ABSENT_BEFORE : ABSENT_AFTER); ORDER }
#endif

  /* ---- SEND ---- */
  /* The decision, in one turn. */
  :: d_step { loop[me] == RUN && MAY_SEND(first[me]) ->
       printf("relay %d: SEND\n", me); CHOOSE }
#if HELD == 2
  :: d_step { loop[me] == RUN && MAY_SEND(second[me]) ->
       printf("relay %d: SEND\n", me); SWAP; CHOOSE }
#endif
  /* The partitions are added. While an older transaction is not complete Kafka says: try again. */
  :: d_step { loop[me] == CHOSEN && current == me && txn == Empty ->
       printf("relay %d: ADD\n", me); txn = Ongoing; loop[me] = ADDED }
  :: d_step { loop[me] == ADDED && current == me && txn == Ongoing ->
       printf("relay %d: DATA\n", me); data++; loop[me] = WROTE_DATA }
  :: d_step { loop[me] == WROTE_DATA && current == me && txn == Ongoing ->
       printf("relay %d: LEDGER\n", me); entries++; loop[me] = WROTE_LEDGER }
#ifdef COMMIT_UNCHECKED
  :: d_step { loop[me] == WROTE_DATA && current == me && txn == Ongoing ->
       printf("relay %d: LEDGER is refused, and nobody looks\n", me); loop[me] = WROTE_LEDGER }
#endif
#ifdef STATUS_EARLY
  :: d_step { loop[me] == WROTE_LEDGER && !row ->
       printf("relay %d: the outcome is posted\n", me); row = true }
#endif

  /* ---- COMMIT ---- */
#ifdef NO_FENCE
  :: d_step { loop[me] == WROTE_LEDGER && txn == Ongoing ->
#else
  :: d_step { loop[me] == WROTE_LEDGER && current == me && txn == Ongoing ->
#endif
       printf("relay %d: END\n", me);
       if :: current != me -> assert(I5) :: else fi;
       txn = PrepareCommit; loop[me] = ENDED }
  :: d_step { loop[me] == ENDED ->
       printf("relay %d: END is answered, X is remembered\n", me);
       if :: knows[me] == UNREAD || knows[me] == FORGOTTEN -> knows[me] = UNTAKEN :: else fi;
       loop[me] = RUN; first[me] = NONE; ORDER }

  /* ---- DOUBT: a request of the transaction is under way, and nobody knows what becomes of it ---- */
  :: d_step { loop[me] >= ADDED && loop[me] <= WROTE_LEDGER && current == me && txn == Ongoing && underway == Nothing ->
       printf("relay %d: a request is late\n", me);
       if
       :: loop[me] == ADDED -> underway = DataAppend
       :: loop[me] == WROTE_DATA -> underway = LedgerAppend
       :: loop[me] == WROTE_LEDGER -> underway = EndTxn
       fi;
#ifdef REUSE_EPOCH
       txn = PrepareAbort; loop[me] = RUN;
#else
       loop[me] = BOOT;
#endif
       ORDER }
  /* Any other: refused by the fence, answer lost, time-out, the group took the shard away and gave it back. What is in hand stays. */
  :: d_step { loop[me] != BOOT ->
       printf("relay %d: doubt\n", me); loop[me] = BOOT; ORDER }
  /* The process dies, another takes its place. */
  :: d_step { !fresh[me] || loop[me] != BOOT ->
       printf("relay %d: crash\n", me);
       loop[me] = BOOT; knows[me] = UNREAD; fresh[me] = true; first[me] = NONE; second[me] = NONE }

  /* ---- SETTLE: behind the transactions ---- */
#ifndef NEVER_TAKEN
  :: d_step { knows[me] == UNTAKEN ->
       printf("relay %d: the outcome is taken\n", me); row = true; knows[me] = TAKEN }
  :: d_step { knows[me] == UNTAKEN && !row ->
       printf("relay %d: the outcome is taken, the answer lost\n", me); row = true }
#endif
  /* A delivery of what is remembered as taken is acked. */
  :: d_step { copies > 0 && knows[me] == TAKEN ->
       printf("relay %d: known; ack\n", me); ACK }
  /* `low` moves past X's record. */
  :: d_step { IS_SETTLED && !IS_HELD ->
       printf("relay %d: X is forgotten\n", me); knows[me] = FORGOTTEN }
  /* It is committed how far all is settled. That may be further than `low`. */
#ifdef SAVED_PAST_UNTAKEN
  :: d_step { (REMEMBERED || knows[me] == FORGOTTEN) && !saved ->
#else
  :: d_step { (knows[me] == TAKEN || knows[me] == FORGOTTEN) && !saved ->
#endif
       printf("relay %d: saved past X\n", me); saved = true }
  od
#undef me
}

/* The coordinator, and the network. */
active proctype Kafka() {
end:
  do
  :: d_step { txn == PrepareCommit ->
       printf("kafka: committed\n"); committed = committed + data; ledger = ledger + entries; data = 0; entries = 0; txn = Empty }
  :: d_step { txn == PrepareAbort ->
       printf("kafka: aborted\n"); data = 0; entries = 0; txn = Empty }
  /* The transaction's time is over. */
  :: d_step { txn == Ongoing ->
       printf("kafka: transaction timed out\n"); txn = PrepareAbort; EPOCH(NOBODY) }
  /* A late request arrives. Without a transaction it is refused. */
  :: d_step { underway != Nothing ->
       printf("kafka: the late request arrives\n");
       if
       :: underway == DataAppend && txn == Ongoing -> data++
       :: underway == LedgerAppend && txn == Ongoing -> entries++
       :: underway == EndTxn && txn == Ongoing -> txn = PrepareCommit
       :: else
       fi;
       underway = Nothing }
  od
}

/* Time, and the offset of a relay that commits late: an old one may come after a newer one. */
active proctype World() {
end:
  do
  :: d_step { !old -> printf("world: X is too old to be sent\n"); old = true }
  :: d_step { old && row -> printf("world: the row is gone\n"); row = false }
  :: d_step { saved -> printf("world: an older low is saved\n"); saved = false }
  od
}

/* The invariants. A step here is possible only where one is broken. */
active proctype Watch() {
end:
  do
  :: d_step { DECIDED_COPIES > 1 -> assert(I1) }
  :: d_step { copies < E && DECIDED_COPIES == 0 -> assert(I2) }
  :: d_step { committed != ledger || (txn == PrepareCommit && data != entries) -> assert(I3) }
  :: d_step { row && DECIDED_COPIES == 0 -> assert(I4) }
#ifdef WITNESS_DONE
  :: d_step { committed == 1 && copies == 0 && knows[0] == FORGOTTEN && row -> assert(REACHED) }
#endif
#ifdef WITNESS_GONE
  :: d_step { committed == 1 && knows[0] == FORGOTTEN && !row && first[0] == ABSENT_AFTER -> assert(REACHED) }
#endif
#ifdef WITNESS_DOUBT
  :: d_step { committed == 1 && loop[0] == BOOT && !fresh[0] && knows[0] == UNREAD && first[0] == ABSENT_BEFORE -> assert(REACHED) }
#endif
  od
}
