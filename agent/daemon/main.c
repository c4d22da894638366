// SPDX-License-Identifier: Apache-2.0
/*
 * From start to signal: configuration, loop, service manager. SIGTERM and SIGINT end the agent and leave the
 * datapath standing; SIGHUP reads the configuration again.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/own.h"
#include "daemon/agent.h"
#include "daemon/confine.h"
#include "daemon/negotiator.h"
#include "daemon/run.h"

struct run {
	struct event_base *base;
	struct agent *agent;
	bool quiet; /* no service manager is told */
};

static void tell_manager(const struct run *run, const char *state)
{
	if (!run->quiet)
		sd_notify(0, state);
}

static void on_end(evutil_socket_t signal_number, short what, void *arg)
{
	struct run *run = arg;

	(void)what;
	log_info("signal %d: ending; programs, SAs and policies stay", (int)signal_number);
	tell_manager(run, "STOPPING=1");
	event_base_loopbreak(run->base);
}

static void on_reload(evutil_socket_t signal_number, short what, void *arg)
{
	struct run *run = arg;
	struct err err = ERR_NONE;

	(void)signal_number;
	(void)what;
	tell_manager(run, "RELOADING=1");
	if (agent_reload(run->agent, &err) < 0)
		log_error("the configuration in force stays: %s", err.text);
	else
		log_info("configuration read again");
	tell_manager(run, "READY=1");
}

/* The loop still turns: that is what the service manager wants to hear. */
static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell_manager(arg, "WATCHDOG=1");
}

/* Three signs of life in the time it gives, so that one may be late. NULL when it asks for none. */
static struct event *start_watchdog(struct run *run)
{
	struct event *event = NULL;
	struct timeval every;
	uint64_t usec = 0;

	if (run->quiet || sd_watchdog_enabled(0, &usec) <= 0)
		return NULL;
	every.tv_sec = (time_t)(usec / 3 / 1000000);
	every.tv_usec = (suseconds_t)(usec / 3 % 1000000);
	event = event_new(run->base, -1, EV_PERSIST, on_watchdog, run);
	if (event)
		event_add(event, &every);
	return event;
}

static int loop(struct run *run)
{
	struct event *watchdog = start_watchdog(run);
	struct event *term = evsignal_new(run->base, SIGTERM, on_end, run);
	struct event *interrupt = evsignal_new(run->base, SIGINT, on_end, run);
	struct event *hangup = evsignal_new(run->base, SIGHUP, on_reload, run);
	int result = -1;

	if (term && interrupt && hangup) {
		event_add(term, NULL);
		event_add(interrupt, NULL);
		event_add(hangup, NULL);
		tell_manager(run, "READY=1");
		result = event_base_dispatch(run->base);
	}
	if (watchdog)
		event_free(watchdog);
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	if (hangup)
		event_free(hangup);
	return result;
}

int daemon_run(const struct daemon_options *options, const struct keying *keying, void *arg)
{
	struct run run = { .quiet = options->foreground };
	struct config config = { 0 };
	struct err err = ERR_NONE;
	bool sandbox;
	int error;

	signal(SIGPIPE, SIG_IGN);
	error = config_load(&config, options->config, &err);
	if (error == 0) {
		log_set_level(config.log_level);
		error = config_check_interfaces(&config, &err);
	}
	if (error == 0) {
		run.base = event_base_new();
		error = run.base ? 0 : err_set(&err, -ENOMEM, "no memory for the event loop");
	}
	sandbox = config.sandbox;
	if (error == 0)
		error = agent_open(&run.agent, &config, run.base, keying, arg, &err);
	/* What is up stays up, as after any other end: a host that was protected a moment ago is not opened by this. */
	if (error == 0 && sandbox)
		error = confine_process(&err);
	if (error < 0) {
		log_error("%s", err.text);
		agent_close(run.agent);
	} else {
		log_info("holdfast %s is running", HF_VERSION);
		error = loop(&run);
		agent_close(run.agent);
	}
	config_free(&config);
	if (run.base)
		event_base_free(run.base);
	return error < 0 ? 1 : 0;
}

int daemon_main(const struct daemon_options *options)
{
	struct negotiator *negotiator = negotiator_new();
	int code;

	if (!negotiator) {
		log_error("no memory");
		return 1;
	}
	code = daemon_run(options, &negotiator_keying, negotiator);
	negotiator_free(negotiator);
	return code;
}
