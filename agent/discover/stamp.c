// SPDX-License-Identifier: Apache-2.0
/*
 * Points of time as text, see stamp.h.
 */
#include "discover/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAY 86400u
#define LAST 253402300799u /* 9999-12-31T23:59:59Z */

static bool is_leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t days_in(uint32_t year, uint32_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01 to the first of January. */
static uint32_t days_before(uint32_t year)
{
	uint32_t last = year - 1;

	return 365 * (year - 1970) + (last / 4 - last / 100 + last / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

/* The number that the digits at `at` are. The caller saw that they are digits. */
static uint32_t number(const uint8_t *at, size_t digits)
{
	uint32_t value = 0;

	for (size_t i = 0; i < digits; i++)
		value = value * 10 + (at[i] - '0');
	return value;
}

static bool fits(struct view text, const char *form)
{
	if (text.len != strlen(form))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (form[i] == '0' ? text.at[i] < '0' || text.at[i] > '9' : text.at[i] != (uint8_t)form[i])
			return false;
	return true;
}

static int day_of(uint64_t *start, const uint8_t *at)
{
	uint32_t year = number(at, 4), month = number(at + 5, 2), day = number(at + 8, 2);
	uint64_t days;

	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return -EINVAL;
	days = days_before(year) + day - 1;
	for (uint32_t i = 1; i < month; i++)
		days += days_in(year, i);
	*start = days * DAY;
	return 0;
}

int stamp_parse(uint64_t *seconds, struct view text)
{
	uint32_t hour, minute, second;
	uint64_t start;

	if (!fits(text, "0000-00-00T00:00:00Z") || day_of(&start, text.at) < 0)
		return -EINVAL;
	hour = number(text.at + 11, 2);
	minute = number(text.at + 14, 2);
	second = number(text.at + 17, 2);
	if (hour > 23 || minute > 59 || second > 59)
		return -EINVAL;
	*seconds = start + hour * 3600 + minute * 60 + second;
	return 0;
}

int stamp_parse_day(uint64_t *end, struct view text)
{
	uint64_t start;

	if (!fits(text, "0000-00-00") || day_of(&start, text.at) < 0)
		return -EINVAL;
	*end = start + DAY;
	return 0;
}

const char *stamp_format(char out[STAMP_TEXT_MAX], uint64_t seconds)
{
	uint64_t known = seconds < LAST ? seconds : LAST;
	uint32_t days = (uint32_t)(known / DAY), rest = (uint32_t)(known % DAY);
	uint32_t year = 1970 + days / 366, month = 1;

	while (days_before(year + 1) <= days)
		year++;
	days -= days_before(year);
	while (days >= days_in(year, month))
		days -= days_in(year, month++);
	snprintf(out, STAMP_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month % 100, (days + 1) % 100,
		 rest / 3600 % 100, rest / 60 % 60, rest % 60);
	return out;
}

const char *stamp_format_day(char out[STAMP_TEXT_MAX], uint64_t seconds)
{
	stamp_format(out, seconds);
	out[sizeof("9999-12-31") - 1] = '\0';
	return out;
}
