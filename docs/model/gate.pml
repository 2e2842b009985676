/* SPDX-License-Identifier: Apache-2.0
   Gate: 2 participants + a closer (keeper / exclusive work), x86-TSO store buffer for slot.active, death everywhere.
   A transaction of kind 0 takes a stripe, of kind 1 takes none and goes straight to the ring lock. */
#ifndef DEATHS
#define DEATHS 1
#endif
#define OPEN 0
#define CLOSED 1
bit act[2], buf[2], dead[2], inside[2];
byte gate = OPEN; bit kdead, cut; byte deaths = DEATHS; byte done, cuts;
#define ST(...) atomic { if :: deaths > 0 -> deaths--; goto DEAD :: true -> __VA_ARGS__ fi }
#define FLUSH(i) act[i] = (act[i] || buf[i]); buf[i] = 0
active [2] proctype W() {
  byte me = _pid, n; bit kind;
BEGIN:
  if :: n == 2 -> goto OUT :: else fi;
  if :: kind = 0 :: kind = 1 fi;
  ST(buf[me] = 1);                               /* plain store: sits in the store buffer */
  if :: kind == 0 ->
#ifdef M_NOFENCE
        skip;
#else
        ST(FLUSH(me));                           /* stripe CAS: a full fence */
#endif
        if :: gate != OPEN -> goto BACK :: else fi
     :: else ->
#ifdef FIXED
        ST(FLUSH(me));                           /* ring lock CAS is this transaction's first */
        if :: gate != OPEN -> goto BACK :: else fi
#else
        skip                                     /* the draft: looks at the gate only after a stripe CAS */
#endif
  fi;
  atomic { inside[me] = 1; assert(!cut) };
  atomic { assert(!cut); if :: deaths > 0 -> deaths--; goto DEAD :: true fi };
  inside[me] = 0;
  ST(buf[me] = 0; act[me] = 0); n++;
  goto BEGIN;
BACK:
  ST(buf[me] = 0; act[me] = 0);
  do :: gate == OPEN -> break
#ifdef FIXED
#ifndef M_GATE_NO_OWNER
     :: atomic { gate != OPEN && kdead -> gate = OPEN }      /* the closer's life lock says dead: repair opens */
#endif
#endif
  od;
  goto BEGIN;
DEAD:
  atomic { FLUSH(me); inside[me] = 0; dead[me] = act[me]; n++ };
  if :: n >= 2 -> goto OUT                                     /* nobody takes this slot again: others must repair it */
     :: else -> atomic { dead[me] = 0; act[me] = 0 } fi;        /* a new incarnation repairs its slot at attach */
  goto BEGIN;
OUT: done++
}
active proctype F() {  /* store buffers drain when they like */
  do :: atomic { buf[0] -> FLUSH(0) } :: atomic { buf[1] -> FLUSH(1) } :: done == 2 -> break od
}
active proctype K() {
  byte tries;
TOP:
  do
  :: cuts < 2 ->
     ST(gate = CLOSED);
     do
     :: !act[0] && true -> if :: !act[1] -> cut = 1; assert(!inside[0] && !inside[1]); cut = 0; cuts++; break :: else fi
     :: act[0] && !dead[0] -> break               /* 50 us are over: reopen, try later */
     :: act[1] && !dead[1] -> break
#ifdef FIXED
#ifndef M_NO_DEAD_ACTIVE
     :: atomic { dead[0] -> dead[0] = 0; act[0] = 0 }      /* life lock test + repair */
     :: atomic { dead[1] -> dead[1] = 0; act[1] = 0 }
#endif
#endif
#ifndef FIXED
     :: dead[0] || dead[1] -> if :: done == 2 -> assert(false) :: else fi; break      /* never quiet again: no checkpoint, ever */
#else
#ifdef M_NO_DEAD_ACTIVE
     :: dead[0] || dead[1] -> if :: done == 2 -> assert(false) :: else fi; break
#endif
#endif
     od;
     ST(gate = OPEN)
  :: cuts >= 2 -> break
  od;
  goto END;
DEAD:
  atomic { kdead = 1; cut = 0 };
  /* a standby keeper may come, or not: here none comes; the writers must go on */
END: skip
}
