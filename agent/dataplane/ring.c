// SPDX-License-Identifier: Apache-2.0
/*
 * The ring buffer's reading end. What the programs say is believed, they are ours; sizes are checked all the same.
 */
#include <errno.h>
#include <string.h>

#include "dataplane/dp.h"

static int on_record(void *ctx, void *data, size_t size)
{
	struct dataplane *dp = ctx;
	const struct hf_event *event = data;

	if (size < sizeof(*event) || !dp->events)
		return 0;
	switch (event->type) {
	case HF_EVENT_FLOW_MISS:
	case HF_EVENT_STRAY:
		dp->events->held(dp->events_arg, event);
		break;
	case HF_EVENT_UNREADABLE:
		if (dp->events->unreadable)
			dp->events->unreadable(dp->events_arg, event);
		break;
	case HF_EVENT_CLEAR:
		if (dp->events->clear)
			dp->events->clear(dp->events_arg, event);
		break;
	case HF_EVENT_ANSWER: {
		const struct hf_event_answer *answer = data;

		if (dp->events->answer && size >= sizeof(*answer) && answer->len <= HF_ANSWER_DATA)
			dp->events->answer(dp->events_arg, answer);
		break;
	}
	case HF_EVENT_DENIED: {
		const struct hf_event_denied *denied = data;

		if (size >= sizeof(*denied) && denied->len && denied->len <= HF_EVENT_HEAD)
			release_denied(dp->release, denied->head, denied->len, denied->mark);
		break;
	}
	}
	return --dp->events_left > 0 ? 0 : -EAGAIN;
}

int dp_ring_open(struct dataplane *dp, struct err *err)
{
	dp->ring = ring_buffer__new(dp->map[DP_RING], on_record, dp, NULL);
	if (!dp->ring)
		return err_set(err, -errno, "the event ring cannot be opened: %s", strerror(errno));
	return 0;
}

int dataplane_ring_fd(const struct dataplane *dp)
{
	return ring_buffer__epoll_fd(dp->ring);
}

int dataplane_ring_read(struct dataplane *dp, const struct dataplane_events *events, void *arg, unsigned int max)
{
	dp->events = events;
	dp->events_arg = arg;
	dp->events_left = max;
	ring_buffer__consume(dp->ring); /* -EAGAIN when the budget ran out; the record that used it up was consumed */
	dp->events = NULL;
	return (int)(max - dp->events_left);
}

uint64_t dataplane_deadline(const struct dataplane *dp)
{
	return release_deadline(dp->release);
}

void dataplane_expire(struct dataplane *dp, uint64_t now)
{
	release_expire(dp->release, now);
}
