// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine says, in order, until ike_next fetches it. Octets are copied: the SA they are of may be gone by then.
 */
#include <string.h>

#include "ike/internal.h"

static struct queued *queue(struct ike *ike, enum ike_output_type type, const struct sa *sa)
{
	struct queued *queued;

	if (ike->output_count == IKE_OUTPUTS) {
		ike->counts.outputs_lost++;
		return NULL;
	}
	queued = &ike->outputs[(ike->output_first + ike->output_count++) % IKE_OUTPUTS];
	memset(queued, 0, sizeof(*queued));
	queued->output.type = type;
	if (sa) {
		queued->output.sa = pool_handle(&ike->sas, sa);
		queued->output.tag = sa->tag;
		queued->output.path = sa->path;
		queued->output.pair = sa_pair(sa);
	}
	return queued;
}

void output_send(struct ike *ike, const struct sa *sa, const struct ike_path *path, struct view datagram)
{
	struct queued *queued = queue(ike, IKE_SEND, sa);

	if (!queued)
		return;
	queued->output.path = *path;
	if (blob_set(ike, &queued->blob, datagram)) {
		ike->output_count--;
		ike->counts.outputs_lost++;
	}
}

static void keep(struct ike *ike, struct queued *queued, struct view first, struct view second)
{
	queued->split = (uint32_t)first.len;
	if (blob_set(ike, &queued->blob, first) || blob_append(ike, &queued->blob, second)) {
		queued->split = 0;
		ike->counts.outputs_lost++;
	}
}

void output_ask(struct ike *ike, const struct sa *sa, bool responder, struct ike_identity id, struct view spki,
		bool null)
{
	struct queued *queued = queue(ike, IKE_ASK_KEY, sa);

	if (!queued)
		return;
	queued->output.ask.responder = responder;
	queued->output.ask.null = null;
	queued->output.ask.id.type = id.type;
	keep(ike, queued, id.data, spki);
}

void output_up(struct ike *ike, const struct sa *sa, struct ike_identity id)
{
	struct queued *queued = queue(ike, IKE_UP, sa);

	if (!queued)
		return;
	queued->output.up.responder = !sa->initiator;
	queued->output.up.auth = sa->auth;
	memcpy(queued->output.up.key, sa->key, sizeof(sa->key));
	queued->output.up.id.type = id.type;
	keep(ike, queued, id.data, VIEW_NONE);
}

void output_replaced(struct ike *ike, const struct sa *sa, struct handle old)
{
	struct queued *queued = queue(ike, IKE_REPLACED, sa);

	if (queued)
		queued->output.replaced.old = old;
}

void output_child(struct ike *ike, enum ike_output_type type, const struct kid *kid, bool in, bool out,
		  uint32_t replaces_in_be, bool replaced)
{
	struct queued *queued = queue(ike, type, pool_at(&ike->sas, kid->sa));

	if (!queued)
		return;
	queued->output.child.child = pool_handle(&ike->kids, kid);
	queued->output.child.keys = kid->child;
	queued->output.child.install_in = in;
	queued->output.child.install_out = out;
	queued->output.child.responder = !kid->mine;
	queued->output.child.replaces_in_be = replaces_in_be;
	queued->output.child.replaced = replaced;
	if (type == IKE_CHILD_DOWN || type == IKE_CHILD_QUIET) {
		secret_wipe(queued->output.child.keys.key_in, CHILD_KEY_MAX);
		secret_wipe(queued->output.child.keys.key_out, CHILD_KEY_MAX);
	}
}

void output_down(struct ike *ike, const struct sa *sa, struct handle handle, enum ike_reason reason)
{
	struct queued *queued = queue(ike, IKE_DOWN, sa);

	if (!queued)
		return;
	queued->output.sa = handle;
	queued->output.down.reason = reason;
	queued->output.down.was_up = sa->told_up;
	queued->output.down.notify = sa->notify;
	ike->counts.down[reason]++;
}

bool ike_next(struct ike *ike, struct ike_output *out)
{
	struct queued *queued = &ike->outputs[ike->output_first];
	struct view octets;

	if (!ike->output_count)
		return false;
	ike->output_first = (ike->output_first + 1) % IKE_OUTPUTS;
	ike->output_count--;
	*out = queued->output;
	octets = blob_view(ike, &queued->blob, ike->output_copy, sizeof(ike->output_copy));
	switch (out->type) {
	case IKE_SEND:
		out->datagram = octets;
		break;
	case IKE_ASK_KEY:
		out->ask.id.data = view_of(octets.at, queued->split);
		out->ask.spki = view_of(octets.at + queued->split, octets.len - queued->split);
		break;
	case IKE_UP:
		out->up.id.data = octets;
		break;
	default:
		break;
	}
	blob_clear(ike, &queued->blob);
	secret_wipe(&queued->output, sizeof(queued->output));
	return true;
}
