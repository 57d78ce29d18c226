// libfcgi's request interface; the stdio replacement (fcgi_stdio.h) is not used.
#include <fcgiapp.h>
// The protocol's numbers.
#include <fastcgi.h>
// To wait for connections; the Glibc module leaves it out.
#include <sys/epoll.h>
