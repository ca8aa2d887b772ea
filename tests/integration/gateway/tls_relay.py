# SPDX-License-Identifier: Apache-2.0
"""TLS before a plain server of this machine: tls_relay.py CERT KEY TARGET_PORT PORT_FILE. Ends when it is killed."""
import os
import socket
import ssl
import sys
import threading

cert, key, target, port_file = sys.argv[1:5]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
listener = socket.create_server(("127.0.0.1", 0))
with open(port_file + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
os.rename(port_file + ".new", port_file)


def copy(source, sink):
    try:
        while part := source.recv(65536):
            sink.sendall(part)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def relay(plain):
    try:
        outside = context.wrap_socket(plain, server_side=True)
    except OSError:
        return
    inside = socket.create_connection(("127.0.0.1", int(target)))
    threading.Thread(target=copy, args=(inside, outside), daemon=True).start()
    copy(outside, inside)


while True:
    threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()
