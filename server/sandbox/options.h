/* options: the settings of the sandbox. Plain data. */
#ifndef SANDBOX_OPTIONS_H
#define SANDBOX_OPTIONS_H

/* In the order of the setting's words. */
enum sandbox_mode {
    SANDBOX_ON,
    SANDBOX_LOG, /* system calls outside the table are made and logged; files and ports are not restricted */
    SANDBOX_OFF,
};

enum { SANDBOX_USER_BYTES = 64 };

struct sandbox_options {
    enum sandbox_mode mode;
    char user[SANDBOX_USER_BYTES]; /* a name or a number; "": stay who we are */
};

#endif
