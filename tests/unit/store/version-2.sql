PRAGMA application_id = 1919247215;
PRAGMA user_version = 2;
BEGIN TRANSACTION;
CREATE TABLE events (
        about TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, type TEXT NOT NULL,
        node TEXT NOT NULL, at REAL NOT NULL, count INTEGER NOT NULL, turn INTEGER NOT NULL,
        PRIMARY KEY (about, reason, message)
    );
CREATE TABLE identity (only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL);
INSERT INTO "identity" VALUES(1,'416bc09548b2d03b4dbaeac7770d6dec');
CREATE TABLE memory (
        part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (part, key)
    ) WITHOUT ROWID;
INSERT INTO "memory" VALUES('accounts','https://acme.example.org/directory','{"key":"account key","thumbprint":"thumb"}');
INSERT INTO "memory" VALUES('applied','Deployment/shop/web','{"kind":"Deployment","spec":{"replicas":2,"paused":null,"weights":[1,2.5,"é\n"]}}');
INSERT INTO "memory" VALUES('certificates','Secret/shop/site','{"names":["a.org"],"server":"https://acme.example.org/directory","chain":"chain","key":"key","not_before":1900000000.0,"not_after":1907776000.0}');
INSERT INTO "memory" VALUES('claims','PersistentVolumeClaim/shop/data','{"node":"node-1","volume":"lab_shop_data","delete":true}');
INSERT INTO "memory" VALUES('incarnations','Deployment/shop/web','12');
INSERT INTO "memory" VALUES('incarnations','Pod/shop/debug','1');
INSERT INTO "memory" VALUES('ingresses','Ingress/shop/web','{"turn":3}');
INSERT INTO "memory" VALUES('nodes','node-1','{"name":"node-1","engine_id":"ENGINE","pod_cidr":"10.244.1.0/24","last_ip":7,"address":"","ssh":null,"host_key":"","hidden":false}');
INSERT INTO "memory" VALUES('pods','bare-1','{"uid":"bare-1","namespace":"shop","name":"bare-1","node":"node-1","hash":"0123456789","revision":"c0ffee","ip":"10.244.1.2","owner":["Deployment","shop","web"],"labels":{"app":"web"},"spec":null,"wanted":"run","reason":"","succeeded_by":[],"ended":"","end_reason":""}');
INSERT INTO "memory" VALUES('pods','web-1-abc','{"uid":"web-1-abc","namespace":"shop","name":"web-1-abc","node":"node-1","hash":"0123456789","revision":"c0ffee","ip":"10.244.1.2","owner":["Deployment","shop","web"],"labels":{"app":"web"},"spec":{"containers":[{"name":"app","image":"web:1","command":[],"args":[],"env":[{"name":"NAME","value":"","valueFrom":{"configMapKeyRef":null,"secretKeyRef":null,"fieldRef":{"fieldPath":"metadata.name"},"resourceFieldRef":null}}],"envFrom":[],"ports":[],"resources":{"requests":{"cpu":"250m","memory":"1.5Gi"},"limits":{}},"workingDir":"","imagePullPolicy":"","volumeMounts":[],"startupProbe":null,"livenessProbe":null,"readinessProbe":null,"lifecycle":{"postStart":null,"preStop":null,"stopSignal":""},"securityContext":{"runAsUser":null,"runAsGroup":null,"runAsNonRoot":null,"privileged":false,"allowPrivilegeEscalation":null,"readOnlyRootFilesystem":false,"capabilities":{"add":[],"drop":[]},"seccompProfile":null},"restartPolicy":"","stdin":false,"stdinOnce":false,"tty":false}],"initContainers":[],"volumes":[],"nodeName":"","nodeSelector":{},"tolerations":[{"key":"disk","operator":"Exists","value":"","effect":""}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"activeDeadlineSeconds":null,"hostname":"","subdomain":"","setHostnameAsFQDN":false,"hostAliases":[],"dnsPolicy":"ClusterFirst","dnsConfig":{"nameservers":[],"searches":[],"options":[]},"hostNetwork":false,"hostPID":false,"hostIPC":false,"shareProcessNamespace":false,"securityContext":{"runAsUser":null,"runAsGroup":null,"runAsNonRoot":null,"supplementalGroups":[],"fsGroup":null,"seccompProfile":null,"sysctls":[]},"imagePullSecrets":[],"readinessGates":[]},"wanted":"run","reason":"","succeeded_by":[],"ended":"","end_reason":""}');
INSERT INTO "memory" VALUES('pods','web-2-abc','{"uid":"web-2-abc","namespace":"shop","name":"web-2-abc","node":"node-1","hash":"0123456789","revision":"c0ffee","ip":"10.244.1.2","owner":["Deployment","shop","web"],"labels":{"app":"web"},"spec":{"containers":[{"name":"app","image":"web:1","command":[],"args":[],"env":[{"name":"NAME","value":"","valueFrom":{"configMapKeyRef":null,"secretKeyRef":null,"fieldRef":{"fieldPath":"metadata.name"},"resourceFieldRef":null}}],"envFrom":[],"ports":[],"resources":{"requests":{"cpu":"250m","memory":"1.5Gi"},"limits":{}},"workingDir":"","imagePullPolicy":"","volumeMounts":[],"startupProbe":null,"livenessProbe":null,"readinessProbe":null,"lifecycle":{"postStart":null,"preStop":null,"stopSignal":""},"securityContext":{"runAsUser":null,"runAsGroup":null,"runAsNonRoot":null,"privileged":false,"allowPrivilegeEscalation":null,"readOnlyRootFilesystem":false,"capabilities":{"add":[],"drop":[]},"seccompProfile":null},"restartPolicy":"","stdin":false,"stdinOnce":false,"tty":false}],"initContainers":[],"volumes":[],"nodeName":"","nodeSelector":{},"tolerations":[{"key":"disk","operator":"Exists","value":"","effect":""}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"activeDeadlineSeconds":null,"hostname":"","subdomain":"","setHostnameAsFQDN":false,"hostAliases":[],"dnsPolicy":"ClusterFirst","dnsConfig":{"nameservers":[],"searches":[],"options":[]},"hostNetwork":false,"hostPID":false,"hostIPC":false,"shareProcessNamespace":false,"securityContext":{"runAsUser":null,"runAsGroup":null,"runAsNonRoot":null,"supplementalGroups":[],"fsGroup":null,"seccompProfile":null,"sysctls":[]},"imagePullSecrets":[],"readinessGates":[]},"wanted":"leave","reason":"scaled down","succeeded_by":[],"ended":"","end_reason":""}');
INSERT INTO "memory" VALUES('revision','','"c0ffee"');
INSERT INTO "memory" VALUES('runs','web-1-abc','{"app":{"restarts":3,"run":"0123456789ab@2026-11-23T09:22:45Z","last_end":{"exit_code":137,"oom_killed":true,"at":"","log":""},"sandbox":"fedcba987654@~2","by_docker":null}}');
INSERT INTO "memory" VALUES('services','Service/shop/web','{"cluster_ip":"10.96.0.10","node_ports":[30080,0],"message":""}');
CREATE TABLE published (only INTEGER PRIMARY KEY CHECK (only = 1), at REAL NOT NULL);
INSERT INTO "published" VALUES(1,1.79612810258919095994e+09);
CREATE TABLE revision (
        only INTEGER PRIMARY KEY CHECK (only = 1), id TEXT NOT NULL, origin TEXT NOT NULL, title TEXT NOT NULL
    );
INSERT INTO "revision" VALUES(1,'c0ffee','/repo (main)','First');
CREATE TABLE revision_files (path TEXT PRIMARY KEY, digest TEXT NOT NULL, content BLOB NOT NULL);
INSERT INTO "revision_files" VALUES('a.yaml','1',X'613A20310A');
CREATE TABLE statuses (ref TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "statuses" VALUES('Deployment/shop/web','DeploymentStatus','{"ref":["Deployment","shop","web"],"replicas":2,"total":2,"updated":1,"ready":1,"available":1,"message":"rolling out"}');
INSERT INTO "statuses" VALUES('Node//node-1','NodeStatus','{"ref":["Node","","node-1"],"ready":true,"message":"","pods":3,"cpu_milli":4000,"memory_bytes":8589934592,"cpu_milli_requested":0,"memory_bytes_requested":0,"unschedulable":false,"pod_cidr":"","engine_version":"","leader":"","lease_epoch":0}');
INSERT INTO "statuses" VALUES('Pod/shop/web-1','PodStatus','{"ref":["Pod","shop","web-1"],"uid":"web-1-abc","node":"node-1","ip":"10.244.1.2","phase":"Running","ready":true,"hash":"","owner":["Deployment","shop","web"],"reason":"","message":"","containers":[{"name":"app","image":"web:1","state":"running","reason":"","message":"","restarts":2,"exit_code":137,"kind":"container","ready":false,"started":false,"started_at":"","finished_at":"","last_end":null}],"conditions":[],"qos":"BestEffort","created":0.0,"made":0.0}');
INSERT INTO "statuses" VALUES('Service/shop/web','ServiceStatus','{"ref":["Service","shop","web"],"type":"NodePort","cluster_ip":"10.96.0.10","ports":["80:30080/TCP"],"endpoints":["10.244.1.2:8080"],"external":[],"message":"","created":0.0}');
CREATE INDEX events_by_turn ON events (turn);
COMMIT;
