// All consumers.
import type { ConsumerDetail } from '../lib/types';
import { useAnswer } from '../lib/watch';
import { Page } from '../parts/bits';
import { Consumers } from '../parts/consumers';

const NONE: ConsumerDetail[] = [];

export function ConsumersPage() {
  const answer = useAnswer<ConsumerDetail[]>('/api/consumers');
  return (
    <Page title="Consumers">
      <Consumers id="consumers" rows={answer?.body ?? NONE} loading={!answer} />
    </Page>
  );
}
