// libfcgi's request interface; the stdio replacement (fcgi_stdio.h) is not used.
#include <fcgiapp.h>
