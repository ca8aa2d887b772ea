# SPDX-License-Identifier: Apache-2.0
"""nginx as the peer of the proxy: one worker before the same upstream; plain, with auth_request, or as a tunnel."""
import getpass

from plumbing.processes import Process, folder, free_port

CONF = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log; {user}
events {{ worker_connections 24000; }}
worker_rlimit_nofile 60000;
http {{
  access_log off; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi; keepalive_requests 100000000; tcp_nodelay on;
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ {auth} proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location = /auth {{ internal; proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_pass_request_body off; proxy_set_header Content-Length ""; }}
    location /ws {{ {tunnel} proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1; proxy_read_timeout 1h;
                    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }}
  }}
}}
"""


class Nginx:
    def __init__(self, upstream, auth=False, tuned=False):
        self.port, where = free_port(), folder()
        conf = where / "nginx.conf"
        conf.write_text(CONF.format(dir=where, port=self.port, upstream=upstream, auth="auth_request /auth;" if auth else "",
                                    tunnel="proxy_buffer_size 64k; proxy_buffers 4 64k;" if tuned else "",
                                    user="user root;" if getpass.getuser() == "root" else ""))
        self.process = Process("nginx", ["/usr/sbin/nginx", "-c", conf, "-p", where]).until_listening(self.port)
        self.pid = self.process.pid

    def fields(self):
        return f"Host: w-1.localhost:{self.port}\r\nOrigin: http://w-1.localhost:{self.port}\r\nCookie: berth-w-1=session\r\n"

    def end(self):
        self.process.end()
