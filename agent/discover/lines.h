// SPDX-License-Identifier: Apache-2.0
/*
 * Text cut into lines and words without copying: what every file of this room is made of.
 */
#ifndef DISCOVER_LINES_H
#define DISCOVER_LINES_H

#include <string.h>

#include "base/bytes.h"

static inline bool line_is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* line_part takes what stands before the separator off, and the separator with it. text->at is NULL after the last. */
static inline struct view line_part(struct view *text, char separator)
{
	const uint8_t *end = text->len ? (const uint8_t *)memchr(text->at, separator, text->len) : NULL;
	struct view part = view_of(text->at, end ? (size_t)(end - text->at) : text->len);

	*text = end ? view_of(end + 1, text->len - part.len - 1) : VIEW_NONE;
	return part;
}

/* line_next takes the next line off, without its newline. */
static inline struct view line_next(struct view *text)
{
	return line_part(text, '\n');
}

/* line_trim is the text without space at either end. */
static inline struct view line_trim(struct view text)
{
	while (text.len && line_is_space(*text.at))
		text = view_of(text.at + 1, text.len - 1);
	while (text.len && line_is_space(text.at[text.len - 1]))
		text.len--;
	return text;
}

/* line_word takes the next word off; empty at the end. */
static inline struct view line_word(struct view *line)
{
	struct view word = *line = line_trim(*line);

	word.len = 0;
	while (word.len < line->len && !line_is_space(line->at[word.len]))
		word.len++;
	*line = view_of(line->at + word.len, line->len - word.len);
	return word;
}

static inline bool line_starts(struct view text, const char *start)
{
	return text.len >= strlen(start) && memcmp(text.at, start, strlen(start)) == 0;
}

#endif
