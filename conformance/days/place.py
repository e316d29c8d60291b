"""What a cluster has from elsewhere, played: issuers and certificates are ready, claims get volumes, routes get an address."""
import json, subprocess, sys, time

def kubectl(*words, given=None):
    return subprocess.run(['kubectl', *words], input=given, capture_output=True, text=True)

def items(kinds):
    listed = kubectl('get', kinds, '-A', '-o', 'json')
    return json.loads(listed.stdout)['items'] if listed.returncode == 0 else []

def status(kind, it, said):
    place = ['-n', it['metadata']['namespace']] if 'namespace' in it['metadata'] else []
    kubectl('patch', kind, it['metadata']['name'], *place, '--subresource=status', '--type=merge', '-p', json.dumps({'status': said}))

while True:
    for kind in sys.argv[1:]:
        for it in items(kind):
            if not it.get('status'):
                status(kind, it, {'conditions': [{'type': 'Ready', 'status': 'True'}]})
    for it in items('ingresses'):
        if not it['status'].get('loadBalancer', {}).get('ingress'):
            status('ingress', it, {'loadBalancer': {'ingress': [{'ip': '203.0.113.10'}]}})
    for it in items('persistentvolumeclaims'):
        if it['status'].get('phase') == 'Pending' and not it['spec'].get('volumeName'):
            name, namespace = it['metadata']['name'], it['metadata']['namespace']
            kubectl('create', '-f', '-', given=json.dumps({
                'apiVersion': 'v1', 'kind': 'PersistentVolume', 'metadata': {'name': f'{namespace}-{name}'},
                'spec': {
                    'capacity': {'storage': '100Gi'}, 'accessModes': it['spec']['accessModes'], 'hostPath': {'path': '/tmp'},
                    'storageClassName': it['spec'].get('storageClassName', ''), 'claimRef': {'name': name, 'namespace': namespace},
                }}))
    time.sleep(1)
