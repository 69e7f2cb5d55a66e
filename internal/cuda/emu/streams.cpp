//go:build gpu && emu && linux

// Streams, events, captures and graphs. Work is put off until something waits for it, as late as a device may be: what
// is read too early is old, and what is overwritten too early is lost.
#include "machine.h"
#include <stdio.h>
#include <time.h>

namespace emu {

struct Graph { Work *first, **end; };
struct Stream {
  bool blocking;
  Work *first, **end;
  bool running;
  Graph *capture;
  bool broken;
  CUstreamCaptureMode mode;
  Stream *next;
};
struct Event {
  Stream *stream;  // where its last record still waits, or NULL
  bool recorded;
  unsigned asked, done;  // counts of records
  double seconds;
};

static Stream null_stream = {true, nullptr, &null_stream.first, false, nullptr, false, {}, nullptr};
static Stream *streams = &null_stream;
static thread_local int captures;

bool capturing() { return captures > 0; }
static Stream *stream(CUstream s) { return s ? (Stream *)s : &null_stream; }
static bool known(Stream *s) {
  for (Stream *t = streams; t; t = t->next)
    if (t == s) return true;
  return false;
}

void *new_work(size_t bytes, CUresult (*run)(Work *)) {
  Work *w = (Work *)calloc(1, bytes);
  if (w) *w = Work{run, nullptr, bytes};
  return w;
}

CUresult drain(Stream *s) {
  if (s->running) return CUDA_SUCCESS;
  s->running = true;
  CUresult r = CUDA_SUCCESS;
  while (s->first) {
    Work *w = s->first;
    if (!r) r = stick(w->run(w));
    s->first = w->next;
    free(w);
  }
  s->end = &s->first;
  s->running = false;
  return r;
}

CUresult drain_all(bool blocking_only) {
  CUresult r = CUDA_SUCCESS;
  for (Stream *s = streams; s; s = s->next)
    if (s->blocking || !blocking_only) {
      CUresult d = drain(s);
      if (!r) r = d;
    }
  return r;
}

static void append(Work ***end, Work *w) {
  **end = w;
  *end = &w->next;
}

CUresult enqueue(CUstream handle, Work *w) {
  if (!w) return CUDA_ERROR_OUT_OF_MEMORY;
  Stream *s = stream(handle);
  if (!known(s)) {
    free(w);
    explain("a stream that does not exist");
    return CUDA_ERROR_INVALID_HANDLE;
  }
  if (s->capture) {
    append(&s->capture->end, w);
    return CUDA_SUCCESS;
  }
  append(&s->end, w);
  if (s != &null_stream) return CUDA_SUCCESS;
  // The null stream and all that block run in the order of the calls.
  CUresult r = drain_all(true);
  return r;
}

// Waiting breaks a capture.
static CUresult refuse(Stream *s, const char *what) {
  if (!s->capture && !captures) return CUDA_SUCCESS;
  explain("%s while a stream is captured", what);
  for (Stream *t = streams; t; t = t->next)
    if (t->capture) t->broken = true;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

static void free_work(Work *w) {
  while (w) {
    Work *next = w->next;
    free(w);
    w = next;
  }
}

struct Record { Work w; Event *event; unsigned count; };
static CUresult run_record(Work *w) {
  Record *r = (Record *)w;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  r->event->seconds = (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
  r->event->done = r->count;
  return CUDA_SUCCESS;
}

struct Wait { Work w; Event *event; unsigned count; };
static CUresult run_wait(Work *w) {
  Wait *x = (Wait *)w;
  return x->event->done < x->count && x->event->stream ? drain(x->event->stream) : CUDA_SUCCESS;
}

struct Replay { Work w; Graph *graph; };
static CUresult run_replay(Work *w) {
  CUresult r = CUDA_SUCCESS;
  for (Work *x = ((Replay *)w)->graph->first; x && !r; x = x->next) r = x->run(x);
  return r;
}

}  // namespace emu

using namespace emu;

EMULATED(CUresult) emu_cuCtxSynchronize(void) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = refuse(&null_stream, "cuCtxSynchronize")) return r;
  if (CUresult r = drain_all(false)) return r;
  return check_guards();
}

EMULATED(CUresult) emu_cuStreamCreate(CUstream *out, unsigned flags) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Stream *s = (Stream *)calloc(1, sizeof *s);
  if (!s) return CUDA_ERROR_OUT_OF_MEMORY;
  s->blocking = !(flags & CU_STREAM_NON_BLOCKING);
  s->end = &s->first;
  s->next = null_stream.next;
  null_stream.next = s;
  *out = (CUstream)s;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuStreamDestroy_v2(CUstream handle) {
  Lock l;
  Stream *s = stream(handle);
  for (Stream **at = &null_stream.next; *at; at = &(*at)->next)
    if (*at == s) {
      CUresult r = drain(s);
      if (s->capture) free_work(s->capture->first), free(s->capture), captures--;
      *at = s->next;
      free(s);
      return r;
    }
  return CUDA_ERROR_INVALID_HANDLE;
}

EMULATED(CUresult) emu_cuStreamSynchronize(CUstream handle) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Stream *s = stream(handle);
  if (!known(s)) return CUDA_ERROR_INVALID_HANDLE;
  if (CUresult r = refuse(s, "cuStreamSynchronize")) return r;
  if (CUresult r = s == &null_stream ? drain_all(true) : drain(s)) return r;
  return check_guards();
}

EMULATED(CUresult) emu_cuStreamQuery(CUstream handle) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Stream *s = stream(handle);
  if (!known(s)) return CUDA_ERROR_INVALID_HANDLE;
  if (CUresult r = refuse(s, "cuStreamQuery")) return r;
  bool pending = s->first;
  if (CUresult r = drain(s)) return r;  // so that the next query finds it done
  return pending ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuStreamWaitEvent(CUstream handle, CUevent event, unsigned) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Event *e = (Event *)event;
  if (!e->recorded) return CUDA_SUCCESS;
  Stream *s = stream(handle);
  if (s->capture) {
    explain("cuStreamWaitEvent in a capture is not emulated");
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  }
  Wait *w = (Wait *)new_work(sizeof *w, run_wait);
  if (w) w->event = e, w->count = e->asked;
  return enqueue(handle, &w->w);
}

EMULATED(CUresult) emu_cuEventCreate(CUevent *out, unsigned) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Event *e = (Event *)calloc(1, sizeof *e);
  *out = (CUevent)e;
  return e ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

EMULATED(CUresult) emu_cuEventDestroy_v2(CUevent event) {
  Lock l;
  CUresult r = drain_all(false);
  free(event);
  return r;
}

EMULATED(CUresult) emu_cuEventRecord(CUevent event, CUstream handle) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Stream *s = stream(handle);
  if (known(s) && s->capture) {
    explain("cuEventRecord in a capture is not emulated");
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  Event *e = (Event *)event;
  Record *w = (Record *)new_work(sizeof *w, run_record);
  if (w) {
    e->recorded = true;
    e->stream = s;
    w->event = e;
    w->count = ++e->asked;
  }
  return enqueue(handle, &w->w);
}

EMULATED(CUresult) emu_cuEventSynchronize(CUevent event) {
  Lock l;
  if (CUresult r = check_context()) return r;
  if (CUresult r = refuse(&null_stream, "cuEventSynchronize")) return r;
  Event *e = (Event *)event;
  return e->done < e->asked && known(e->stream) ? drain(e->stream) : CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuEventQuery(CUevent event) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Event *e = (Event *)event;
  if (e->done == e->asked) return CUDA_SUCCESS;
  CUresult r = drain(e->stream);
  return r ? r : CUDA_ERROR_NOT_READY;
}

EMULATED(CUresult) emu_cuEventElapsedTime(float *ms, CUevent from, CUevent to) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Event *a = (Event *)from, *b = (Event *)to;
  if (!a->recorded || !b->recorded) return CUDA_ERROR_INVALID_HANDLE;
  if (a->done < a->asked || b->done < b->asked) return CUDA_ERROR_NOT_READY;
  *ms = (float)(1e3 * (b->seconds - a->seconds));
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Stream *s = stream(handle);
  if (s == &null_stream || !known(s) || s->capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  Graph *g = (Graph *)calloc(1, sizeof *g);
  if (!g) return CUDA_ERROR_OUT_OF_MEMORY;
  g->end = &g->first;
  s->capture = g;
  s->broken = false;
  s->mode = mode;
  captures++;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuStreamEndCapture(CUstream handle, CUgraph *out) {
  Lock l;
  Stream *s = stream(handle);
  *out = nullptr;
  if (!known(s) || !s->capture) return CUDA_ERROR_ILLEGAL_STATE;
  Graph *g = s->capture;
  s->capture = nullptr;
  captures--;
  if (s->broken) {
    free_work(g->first);
    free(g);
    return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  }
  *out = (CUgraph)g;
  return CUDA_SUCCESS;
}

EMULATED(CUresult) emu_cuGraphInstantiateWithFlags(CUgraphExec *out, CUgraph graph, unsigned long long) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Graph *g = (Graph *)calloc(1, sizeof *g);
  if (!g) return CUDA_ERROR_OUT_OF_MEMORY;
  g->end = &g->first;
  for (Work *w = ((Graph *)graph)->first; w; w = w->next) {
    Work *copy = (Work *)malloc(w->bytes);
    if (!copy) {
      free_work(g->first);
      free(g);
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    memcpy((void *)copy, w, w->bytes);
    copy->next = nullptr;
    append(&g->end, copy);
  }
  *out = (CUgraphExec)g;
  return CUDA_SUCCESS;
}

static CUresult destroy_graph(Graph *g) {
  Lock l;
  CUresult r = drain_all(false);
  free_work(g->first);
  free(g);
  return r;
}
EMULATED(CUresult) emu_cuGraphDestroy(CUgraph g) { return destroy_graph((Graph *)g); }
EMULATED(CUresult) emu_cuGraphExecDestroy(CUgraphExec g) { return destroy_graph((Graph *)g); }

EMULATED(CUresult) emu_cuGraphLaunch(CUgraphExec graph, CUstream handle) {
  Lock l;
  if (CUresult r = check_context()) return r;
  Replay *w = (Replay *)new_work(sizeof *w, run_replay);
  if (w) w->graph = (Graph *)graph;
  return enqueue(handle, &w->w);
}
