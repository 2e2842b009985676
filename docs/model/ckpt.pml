/* SPDX-License-Identifier: Apache-2.0
   Checkpoint capture. 2 writers that share 2 pages (each has its own word in each page), 1 keeper: cut, scan, finish, giving up,
   takeover. Writers roll back, the pool of POOL shadow slots runs out, publishing fails; anyone may die before every single
   store, DEATHS = how many deaths, NTX = transactions of each writer, NE = captures. A dead slot is taken by a new incarnation.
   The code: W from BARRIER to STORE is the barrier in shm/capture.cpp (before_store in capture.hpp), which commit.cpp calls behind
   the undo and directly before the first store to a page; K is the scan in shm/capture.cpp: begin, copy, end, forget, and from
   START on abandon_capture. The state word is {E, whole, st}, whole = a full capture, and bitmap E % 2 takes what is stored now;
   the capture word of page p is {capE[p], slot[p]}. Checked is I5: a published image is the state at its cut.
   The gate is modelled in gate.pml: here the cut is one step with no slot active. FIXED = the protocol as built, without it a
   first draft that fails. TWO_PAGES=1: writer 1 may change both pages in one transaction. M_xxx = one rule left out (each must
   fail); M_NEVER_xxx denies what must be possible, so that nothing passes for want of captures (each must fail). */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef POOL
#define POOL 1
#endif
#ifndef NTX
#define NTX 2
#endif
#ifndef NE
#define NE 2
#endif
#ifndef TWO_PAGES
#define TWO_PAGES 0
#endif
#define NP 2
#define NONE 9
#define OTHER 8
#define IDLE 0
#define CAPTURE 1
#define ABORTED 2
typedef Page { byte w[2]; byte sn[2]; byte img[2] };       /* live, ghost: state at the cut, chain of checkpoint images */
typedef Sh { byte w[2] };
typedef Bm { bit b[NP] };
typedef Undo { byte n; byte first; byte v[NP] };           /* entry 0 is of page first, entry 1 of the other */
Page pg[NP]; Sh sh[POOL]; Bm dirty[2]; Undo u[2];
byte E; byte st; bit whole; byte cursor;
byte capE[NP], slot[NP]; byte pool;
byte kept[2] = NONE;                                       /* a writer's own, tagged with E: void after the next cut */
#ifndef FIXED
byte cp[NP] = NONE;
#endif
bit act[2], dead[2];
byte deaths = DEATHS; byte done; bit over;
#ifdef M_NEVER_CHAINS
byte success, shadows, chained;
#endif
#define ST(...) atomic { if :: deaths > 0 -> deaths--; goto DEAD :: true -> __VA_ARGS__ fi }
#ifdef M_ONE_BITMAP
#define NOW 0
#define OLD 0
#else
#define NOW (E % 2)
#define OLD ((E + 1) % 2)
#endif
#ifdef M_SKIP_CLEAN_FULL
#define WANTED(p) (dirty[OLD].b[p])
#else
#define WANTED(p) (all || dirty[OLD].b[p])       /* the keeper is going to copy it */
#endif
#define FORGET(d) u[d].n = 0; u[d].first = 0; u[d].v[0] = 0; u[d].v[1] = 0
#define NO_SCAN p = 0; i = 0; ca = 0; cb = 0; im[0] = 0; im[1] = 0; im[2] = 0; im[3] = 0
#define NO_SN pg[0].sn[0] = 0; pg[0].sn[1] = 0; pg[1].sn[0] = 0; pg[1].sn[1] = 0

/* The protocol copies words and compares epochs, it does not look into them. So what it cannot tell apart has one name, which
   keeps the states few: at the cut the words become 0, other words of an image OTHER, passed epochs and the contents of free
   shadow slots 0; a store makes a word 1. PLAIN_NAMES does without. */
#ifdef M_CUT_ACTIVE
#define QUIET true
#define PLAIN_NAMES
#else
#define QUIET (!act[0] && !act[1])
#endif
#ifdef M_REP_IDLE_FIRST
#define PLAIN_NAMES
bit late; byte latep, latev;
#endif
#ifdef PLAIN_NAMES
#define CHANGED(w) w + 1
#else
#define CHANGED(w) 1
#endif
inline rename_at_cut() {
#ifndef PLAIN_NAMES
  for (i : 0 .. POOL - 1) { sh[i].w[0] = 0; sh[i].w[1] = 0 }
  for (i : 0 .. 1) {
    capE[i] = 0; slot[i] = 0;
    pg[i].img[0] = (pg[i].img[0] == pg[i].w[0] -> 0 : OTHER); pg[i].w[0] = 0;
    pg[i].img[1] = (pg[i].img[1] == pg[i].w[1] -> 0 : OTHER); pg[i].w[1] = 0
  }
#endif
  for (i : 0 .. 1) { pg[i].sn[0] = pg[i].w[0]; pg[i].sn[1] = pg[i].w[1] }
  i = 0
}

inline repair(d) {       /* its inner steps are checked in tx.pml; what matters here is page state and 'act' */
#ifdef M_REP_IDLE_FIRST
  latep = u[d].first; latev = u[d].v[u[d].first]; late = u[d].n; FORGET(d); act[d] = 0; dead[d] = 0
#else
  if :: u[d].n > 1 -> pg[1 - u[d].first].w[d] = u[d].v[1 - u[d].first] :: else fi;
  if :: u[d].n > 0 -> pg[u[d].first].w[d] = u[d].v[u[d].first] :: else fi;
  FORGET(d); act[d] = 0; dead[d] = 0
#endif
}

#define STORE_PAGE ST(pg[p].w[me] = CHANGED(pg[p].w[me]))
proctype W(byte me) {
  byte p, s, n; bit two, second, look, all;
BEGIN:
  atomic { if :: n == NTX || over -> goto OUT :: else fi; ST(act[me] = 1) };
  ST(if :: p = 0 :: me == 1 -> p = 1 fi;
     if :: me == 1 && TWO_PAGES -> two = 1 :: true fi;
     u[me].first = p; u[me].v[p] = pg[p].w[me]; u[me].v[1 - p] = (two -> pg[1 - p].w[me] : 0);
     u[me].n = 1 + two);                         /* payload, then count: in tx.pml two steps */
BARRIER:
#ifdef M_STORE_BEFORE_BARRIER
  STORE_PAGE;
#endif
  atomic { if :: goto ROLLBACK :: true fi;       /* rolled back here, p is restored as it is */
    look = (st == CAPTURE); all = (look && whole) };
  ST(dirty[NOW].b[p] = 1);
  if :: look ->
     if :: WANTED(p) ->
        if :: capE[p] != E ->
           if :: p >= cursor ->
#ifdef FIXED
              atomic { if :: kept[me] != NONE -> s = kept[me]; kept[me] = NONE
                          :: kept[me] == NONE && pool < POOL -> s = pool; pool++
                          :: kept[me] == NONE && pool >= POOL -> s = NONE fi };
              if :: s == NONE ->
#ifdef M_ABORT_LATE
                    skip
#else
                    ST(if :: st == CAPTURE -> st = ABORTED :: else fi)
#endif
                 :: else ->
#ifdef M_TAG_BEFORE_COPY
                    ST(if :: capE[p] != E -> slot[p] = s; capE[p] = E :: else fi);
                    ST(sh[s].w[0] = pg[p].w[0]); ST(sh[s].w[1] = pg[p].w[1])
#else
                    sh[s].w[0] = pg[p].w[0]; sh[s].w[1] = pg[p].w[1];
                    ST(if :: capE[p] != E -> slot[p] = s; capE[p] = E                   /* one CAS on one word */
                          :: else -> kept[me] = s fi)                                   /* lost: for the next page */
#endif
              fi
#else
TAG:          if
              :: atomic { cp[p] == NONE && capE[p] != E -> if :: deaths > 0 -> deaths--; goto DEAD :: true -> cp[p] = me fi }
              :: capE[p] == E -> goto STORE
              :: atomic { cp[p] != NONE && cp[p] != me && dead[cp[p]] -> cp[p] = me }   /* the copier died: the copy is ours */
              fi;
              atomic { if :: pool < POOL -> s = pool; pool++ :: else -> s = NONE fi };
              if :: s == NONE -> ST(st = ABORTED)
                 :: else -> ST(sh[s].w[0] = pg[p].w[0]); ST(sh[s].w[1] = pg[p].w[1]);
                    ST(slot[p] = s); ST(capE[p] = E; cp[p] = NONE)
              fi
#endif
           :: else fi
        :: else fi
     :: else fi
  :: else fi;
STORE:
#ifndef M_STORE_BEFORE_BARRIER
  STORE_PAGE;
#endif
#ifdef M_ABORT_LATE
  if :: s == NONE -> ST(if :: st == CAPTURE -> st = ABORTED :: else fi) :: else fi;
#endif
  atomic { s = 0; look = 0; all = 0; if :: two && !second -> second = 1; p = 1 - p; goto BARRIER :: else fi };
  atomic { if :: goto ROLLBACK :: true fi; goto CLOSE };
ROLLBACK:
  if :: two -> ST(pg[1 - u[me].first].w[me] = u[me].v[1 - u[me].first]) :: else fi;
  ST(pg[u[me].first].w[me] = u[me].v[u[me].first]);
CLOSE:
  ST(FORGET(me); act[me] = 0; n++; p = 0; two = 0; second = 0);          /* committed, or rolled back */
  goto BEGIN;
DEAD:
  atomic { dead[me] = 1; n++; p = 0; s = 0; two = 0; second = 0; look = 0; all = 0; kept[me] = NONE };
  /* a new incarnation attaches to the slot: repairs it if nobody has */
  atomic { if :: dead[me] -> repair(me) :: else fi };
#ifdef M_REP_IDLE_FIRST
  if :: late -> pg[latep].w[me] = latev; late = 0 :: else fi;
#endif
  goto BEGIN;
OUT: done++
}

#define CLEAR_OLD ST(dirty[OLD].b[0] = 0); ST(dirty[OLD].b[1] = 0)
inline give_back(q) {                    /* from the old bitmap into the one of now */
#ifdef M_CLEAR_BEFORE_OR
  if :: dirty[OLD].b[q] -> ST(dirty[OLD].b[q] = 0); ST(dirty[NOW].b[q] = 1) :: else fi
#else
#ifdef M_NO_OR
  ST(dirty[OLD].b[q] = 0)
#else
#ifdef M_ONE_BITMAP
  skip
#else
  if :: dirty[OLD].b[q] -> ST(dirty[NOW].b[q] = 1); ST(dirty[OLD].b[q] = 0) :: else fi
#endif
#endif
#endif
}

proctype K() {
  byte p, i, ca, cb; byte im[4];
START:                                   /* a takeover, whatever is there, or a capture that failed */
  atomic { NO_SCAN; NO_SN; if :: E == NE -> goto LAST :: else fi };
  ST(st = IDLE; whole = 0);
  give_back(0); give_back(1);
CUT:
  do
  :: atomic { dead[0] -> repair(0) }
  :: atomic { dead[1] -> repair(1) }
  :: atomic { QUIET ->
       assert(OLD == NOW || (!dirty[OLD].b[0] && !dirty[OLD].b[1]));
       if :: deaths > 0 -> deaths--; goto DEAD :: true fi;      /* only the state word, the last store, counts */
       d_step { cursor = 0; pool = 0;
#ifndef M_KEEP_LONG
         kept[0] = NONE; kept[1] = NONE;
#endif
         E++; st = CAPTURE; rename_at_cut() };
       if :: whole = 0 :: whole = 1 fi;
       break }
  od;
  do
  :: p < NP ->
#ifdef M_CURSOR_EARLY
     cursor = p + 1;
#endif
#ifdef M_TAG_READ_FIRST
#define TAGGED i
     i = (capE[p] == E);
#else
#define TAGGED (capE[p] == E)
#endif
     if :: atomic { whole || dirty[OLD].b[p] -> ca = pg[p].w[0] };
           cb = pg[p].w[1];
#ifndef M_NO_REREAD
           if :: TAGGED -> ca = sh[slot[p]].w[0]; cb = sh[slot[p]].w[1];
#ifdef M_NEVER_CHAINS
                 shadows++
#endif
              :: else fi;
#endif
           atomic { im[2*p] = ca; im[2*p+1] = cb; ca = 0; cb = 0 };
#ifndef M_CURSOR_EARLY
           cursor = p + 1;
#endif
           if :: st == CAPTURE :: else -> goto START fi
        :: atomic { else -> im[2*p] = pg[p].img[0]; im[2*p+1] = pg[p].img[1];
#ifdef M_NEVER_CHAINS
             chained = chained + (success > 0)
#endif
           }
     fi;
     p++
  :: else -> break
  od;
  if :: atomic { st == CAPTURE -> if :: deaths > 0 -> deaths--; goto DEAD :: true -> st = IDLE; p = 0; i = 0 fi }
     :: st == ABORTED -> goto START
  fi;
#ifdef M_CLEAR_EARLY
  CLEAR_OLD;
#endif
  /* footer, verification, rename: any may fail; with MANIFEST the chain ends with this image */
  atomic { if :: goto START :: true fi;
    ST(assert(im[0] == pg[0].sn[0] && im[1] == pg[0].sn[1] && im[2] == pg[1].sn[0] && im[3] == pg[1].sn[1]);
       pg[0].img[0] = im[0]; pg[0].img[1] = im[1]; pg[1].img[0] = im[2]; pg[1].img[1] = im[3]; NO_SCAN; NO_SN);
#ifdef M_NEVER_SUCCEEDS
    assert(false);
#endif
#ifdef M_NEVER_CHAINS
    success++; assert(success < NE || whole || shadows == 0 || chained == 0);
#endif
    if :: E == NE -> goto LAST :: else fi };
  CLEAR_OLD;
  goto CUT;
DEAD:
  goto START;
LAST:                                    /* nothing is checked any more: all that may be left becomes one state */
  atomic { over = 1; st = IDLE; whole = 0; cursor = NP; pool = 0; kept[0] = NONE; kept[1] = NONE; rename_at_cut();
    for (i : 0 .. 1) { dirty[0].b[i] = 0; dirty[1].b[i] = 0; pg[i].img[0] = 0; pg[i].img[1] = 0; pg[i].w[0] = 0; pg[i].w[1] = 0 }
    i = 0; NO_SN };
  (done == 2)
}
init { atomic { run W(0); run W(1); run K() } }
