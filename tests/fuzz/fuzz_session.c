// SPDX-License-Identifier: Apache-2.0
/*
 * Two engines by a script: the first octet says in which state they begin, the rest what becomes of each datagram, what the callers order
 * and answer, what their kernels refuse and from where ESP comes, and how time goes by. Afterwards the faults end, all is closed, and nothing
 * may be left on either side.
 */
#include "stage.h"

#define STEPS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stage_open();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader script;

	if (!len)
		return 0;
	stage_load(data[0] % STAGE_STATES);
	reader_init(&script, view_of(data + 1, len - 1));
	for (unsigned int i = 0; i < STEPS && stage_step(&script); i++) {
		stage_check();
		stage_agree();
	}
	stage_settle();
	return 0;
}
